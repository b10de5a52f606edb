import { assert, describe, it } from "@effect/vitest"
import { BreakerState, type Mode, type Settings, type State } from "../src/policy/internal/breakerState.ts"
import { seed, seeded } from "./pool/seeded.ts"

/** What is done to a breaker; `pick` chooses among the calls that run. */
type Step =
  | { readonly op: "admit" }
  | { readonly op: "wait"; readonly millis: number }
  | { readonly op: "record"; readonly pick: number; readonly failed: boolean; readonly slow: boolean }
  | { readonly op: "forget"; readonly pick: number }
  | { readonly op: "command"; readonly mode: Mode }
  | { readonly op: "reset" }

interface Result {
  readonly failed: boolean
  readonly slow: boolean
  readonly at: number
}

const OPEN_MS = 100

/** The breaker as one would explain it: a list of results, read anew each time. */
class Reference {
  state: State = "closed"
  mode: Mode = "automatic"
  generation = 0
  private results: Array<Result> = []
  private inARow = 0
  private openUntil = 0
  private left = 0
  private readonly settings: Settings

  constructor(settings: Settings) {
    this.settings = settings
  }

  admit(now: number): boolean {
    if (this.state === "closed") return true
    if (this.state === "half-open" && this.left > 0) {
      this.left--
      return true
    }
    if (now < this.openUntil) return false
    if (this.state === "open") this.enter("half-open", now)
    else this.begin(now)
    this.left--
    return true
  }

  record(generation: number, result: Result): void {
    if (generation !== this.generation || this.state === "open") return
    const { failureRate, minimumCalls, permits, slowRate } = this.settings
    this.results.push(result)
    const share = (which: "failed" | "slow", among: ReadonlyArray<Result>) => among.filter((one) => one[which]).length
    if (this.state === "half-open") {
      const left = Math.max(0, permits - this.results.length)
      const ends = (more: number) =>
        share("failed", this.results) + more >= failureRate * permits ||
        share("slow", this.results) + more >= slowRate * permits
      if (ends(0)) this.enter("open", result.at)
      else if (!ends(left)) this.enter("closed", result.at)
      return
    }
    this.inARow = result.failed ? this.inARow + 1 : 0
    const seen = this.seen(result.at)
    const tooMany = seen.length >= minimumCalls &&
      (share("failed", seen) >= failureRate * seen.length || share("slow", seen) >= slowRate * seen.length)
    if (this.mode !== "metricsOnly" && (tooMany || this.inARow >= this.settings.consecutive)) {
      this.enter("open", result.at)
    }
  }

  forget(generation: number): void {
    if (generation === this.generation && this.state === "half-open") this.left++
  }

  command(mode: Mode, now: number): void {
    if (mode === this.mode) return
    this.mode = mode
    if (mode === "forcedOpen") this.enter("open", now, Infinity)
    else if (this.state !== "closed") this.enter("closed", now)
  }

  reset(now: number): void {
    if (this.mode !== "forcedOpen") this.enter("closed", now)
  }

  private seen(now: number): ReadonlyArray<Result> {
    const { window } = this.settings
    if (typeof window === "number") return this.results.slice(-window)
    const tenth = (at: number) => Math.floor(at / (window.millis / 10))
    return this.results.filter(({ at }) => tenth(at) > tenth(now) - 10)
  }

  private enter(state: State, now: number, openFor = OPEN_MS): void {
    this.state = state
    this.generation++
    this.results = []
    this.inARow = 0
    this.begin(now, openFor)
  }

  private begin(now: number, openFor = OPEN_MS): void {
    this.openUntil = now + openFor
    this.left = this.settings.permits
  }
}

/** Where the breaker and the reference part; `undefined` when they never do. */
const parting = (settings: Settings, steps: ReadonlyArray<Step>): string | undefined => {
  const breaker = new BreakerState(settings, OPEN_MS)
  const reference = new Reference(settings)
  const running: Array<number> = []
  let now = 1000
  const time = { now: () => now }
  for (const [n, step] of steps.entries()) {
    const expected = step.op === "admit" ? reference.admit(now) : undefined
    if (step.op === "admit") {
      if (breaker.admit(time) !== expected) return `step ${n}: ${expected ? "rejects" : "admits"}`
      if (expected) running.push(reference.generation)
    } else if (step.op === "record" || step.op === "forget") {
      const [generation] = running.splice(step.pick % Math.max(1, running.length), 1)
      if (generation === undefined) continue
      if (step.op === "forget") {
        breaker.forget(generation)
        reference.forget(generation)
      } else {
        breaker.record(generation, step.failed, step.slow, time)
        reference.record(generation, { ...step, at: now })
      }
    } else if (step.op === "command") {
      breaker.command(step.mode, time)
      reference.command(step.mode, now)
    } else if (step.op === "reset") {
      breaker.reset(time)
      reference.reset(now)
    } else now += step.millis
    if (breaker.state !== reference.state || breaker.generation !== reference.generation) {
      return `step ${n}: is ${breaker.state} (${breaker.generation}), not ${reference.state} (${reference.generation})`
    }
  }
  return undefined
}

/** Leaves out whatever is not needed for them to part. */
const shrunk = (settings: Settings, steps: ReadonlyArray<Step>): ReadonlyArray<Step> => {
  let least = steps
  for (let at = least.length - 1; at >= 0; at--) {
    const without = least.toSpliced(at, 1)
    if (parting(settings, without) !== undefined) least = without
  }
  return least
}

const modes: ReadonlyArray<Mode> = ["automatic", "automatic", "forcedOpen", "metricsOnly"]

const windows: ReadonlyArray<Settings["window"]> = [1, 4, 8, { millis: 300 }]

describe("the automaton", () => {
  it("does as the reference does, whatever comes in whatever order", () => {
    const choices = seeded(seed)
    const step = (): Step => {
      const dice = choices.next()
      if (dice < 0.4) return { op: "admit" }
      if (dice < 0.8) {
        return { op: "record", pick: choices.below(100), failed: choices.next() < 0.5, slow: choices.next() < 0.3 }
      }
      if (dice < 0.86) return { op: "forget", pick: choices.below(100) }
      if (dice < 0.98) return { op: "wait", millis: choices.below(60) }
      return choices.next() < 0.5 ? { op: "reset" } : { op: "command", mode: choices.pick(modes) }
    }
    for (let round = 0; round < 300; round++) {
      const window = choices.pick(windows)
      const settings: Settings = {
        window,
        minimumCalls: typeof window === "number" ? 1 + choices.below(window) : 1 + choices.below(6),
        failureRate: choices.pick([0.3, 0.5, 1]),
        slowRate: choices.pick([0.5, Infinity]),
        consecutive: choices.pick([2, Infinity]),
        permits: 1 + choices.below(4)
      }
      const steps = Array.from({ length: 150 }, step)
      if (parting(settings, steps) === undefined) continue
      const least = shrunk(settings, steps)
      assert.fail(`seed ${seed}: ${parting(settings, least)} with ${JSON.stringify({ settings, least })}`)
    }
  })
})
