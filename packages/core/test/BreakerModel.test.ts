import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, type Fiber, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import { BreakerState, type Mode, type Settings, type State } from "../src/policy/internal/breakerState.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"
import { seed, seeded } from "./pool/seeded.ts"
import { yieldAt } from "./support/interrupts.ts"

/** What is done to a breaker; `pick` chooses among the calls that run. */
type Step =
  | { readonly op: "admit" }
  | { readonly op: "wait"; readonly millis: number }
  | {
    readonly op: "record"
    readonly pick: number
    readonly failed: boolean
    readonly slow: boolean
    /** Milliseconds for which the server asks to be left alone. */
    readonly asked: number
  }
  | { readonly op: "forget"; readonly pick: number }
  | { readonly op: "command"; readonly mode: Mode }
  | { readonly op: "probe" }
  | { readonly op: "reset" }
  | { readonly op: "configure"; readonly settings: Settings }

interface Result {
  readonly failed: boolean
  readonly slow: boolean
  readonly at: number
}

const OPEN_MS = 100

const sameKind = (a: Settings["window"], b: Settings["window"]): boolean =>
  typeof a === "number" ? typeof b === "number" : typeof b !== "number" && a.millis === b.millis

/** The breaker as one would explain it: a list of results, read anew each time. */
class Reference {
  state: State = "closed"
  mode: Mode = "automatic"
  generation = 0
  private results: Array<Result> = []
  private inARow = 0
  private openUntil = 0
  private askedUntil = 0
  private left = 0
  private settings: Settings

  constructor(settings: Settings) {
    this.settings = settings
  }

  configure(settings: Settings): void {
    const { permits, window } = this.settings
    // Of probes all count, whatever the window.
    if (this.state !== "half-open") {
      const known = typeof window === "number" ? this.results.slice(-window) : this.results
      this.results = sameKind(window, settings.window) ? known : []
    }
    this.left = Math.max(0, this.left + settings.permits - permits)
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

  record(generation: number, result: Result, asked: number): void {
    if (generation !== this.generation || this.state === "open") return
    const { failureRate, minimumCalls, permits, slowRate } = this.settings
    this.results.push(result)
    const share = (which: "failed" | "slow", among: ReadonlyArray<Result>) => among.filter((one) => one[which]).length
    if (this.state === "half-open") {
      const left = Math.max(0, permits - this.results.length)
      const ends = (more: number) =>
        share("failed", this.results) + more >= failureRate * permits ||
        share("slow", this.results) + more >= slowRate * permits
      if (ends(0)) this.open(result.at, asked)
      else if (!ends(left)) this.enter("closed", result.at)
      return
    }
    this.inARow = result.failed ? this.inARow + 1 : 0
    const seen = this.seen(result.at)
    const tooMany = seen.length >= minimumCalls &&
      (share("failed", seen) >= failureRate * seen.length || share("slow", seen) >= slowRate * seen.length)
    if (this.mode !== "metricsOnly" && (tooMany || this.inARow >= this.settings.consecutive)) {
      this.open(result.at, asked)
    }
  }

  forget(generation: number): void {
    if (generation === this.generation && this.state === "half-open") this.left++
  }

  probe(now: number): void {
    if (this.state === "open" && this.mode !== "forcedOpen" && this.openUntil > now) {
      this.openUntil = Math.max(now, this.askedUntil)
    }
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

  private open(now: number, asked: number): void {
    this.askedUntil = now + asked
    this.enter("open", now, Math.max(OPEN_MS, asked))
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

/** Where the breaker and the reference part; `undefined` when they never do. The edges that are taken are added. */
const parting = (
  settings: Settings,
  steps: ReadonlyArray<Step>,
  edges: Set<string> = new Set()
): string | undefined => {
  const breaker = new BreakerState(settings, OPEN_MS)
  const reference = new Reference(settings)
  const running: Array<number> = []
  let now = 1000
  const time = { now: () => now }
  for (const [n, step] of steps.entries()) {
    const before = breaker.state
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
        breaker.record(generation, step.failed, step.slow, time, step.asked)
        reference.record(generation, { ...step, at: now }, step.asked)
      }
    } else if (step.op === "command") {
      breaker.command(step.mode, time)
      reference.command(step.mode, now)
    } else if (step.op === "probe") {
      breaker.probe(time)
      reference.probe(now)
    } else if (step.op === "reset") {
      breaker.reset(time)
      reference.reset(now)
    } else if (step.op === "configure") {
      breaker.configure(step.settings)
      reference.configure(step.settings)
    } else now += step.millis
    if (breaker.state !== before) edges.add(`${step.op}: ${before} to ${breaker.state}`)
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

const settingsFrom = (choices: ReturnType<typeof seeded>): Settings => {
  const window = choices.pick(windows)
  return {
    window,
    minimumCalls: typeof window === "number" ? 1 + choices.below(window) : 1 + choices.below(6),
    failureRate: choices.pick([0.3, 0.5, 1]),
    slowRate: choices.pick([0.5, Infinity]),
    consecutive: choices.pick([2, Infinity]),
    permits: 1 + choices.below(4)
  }
}

const stepFrom = (choices: ReturnType<typeof seeded>): Step => {
  const dice = choices.next()
  if (dice < 0.4) return { op: "admit" }
  if (dice < 0.8) {
    return {
      op: "record",
      pick: choices.below(100),
      failed: choices.next() < 0.5,
      slow: choices.next() < 0.3,
      asked: choices.next() < 0.1 ? choices.below(300) : 0
    }
  }
  if (dice < 0.86) return { op: "forget", pick: choices.below(100) }
  if (dice < 0.95) return { op: "wait", millis: choices.below(120) }
  if (dice < 0.97) return { op: "probe" }
  if (dice < 0.98) return { op: "configure", settings: settingsFrom(choices) }
  return choices.next() < 0.5 ? { op: "reset" } : { op: "command", mode: choices.pick(modes) }
}

describe("the automaton", () => {
  it("does as the reference does, whatever comes in whatever order, and takes every edge there is and no other", () => {
    const choices = seeded(seed)
    const edges = new Set<string>()
    for (let round = 0; round < 300; round++) {
      const settings = settingsFrom(choices)
      const steps = Array.from({ length: 150 }, () => stepFrom(choices))
      if (parting(settings, steps, edges) === undefined) continue
      const least = shrunk(settings, steps)
      assert.fail(`seed ${seed}: ${parting(settings, least)} with ${JSON.stringify({ settings, least })}`)
    }
    assert.deepStrictEqual(Array.from(edges).toSorted(), [
      "admit: open to half-open",
      "command: closed to open",
      "command: half-open to closed",
      "command: half-open to open",
      "command: open to closed",
      "record: closed to open",
      "record: half-open to closed",
      "record: half-open to open",
      "reset: half-open to closed",
      "reset: open to closed"
    ], `seed ${seed}`)
  })
})

/** A breaker that opens with its second failure in a row, for 100 ms, and lets two calls through then. */
const simple: Settings = {
  window: 10,
  minimumCalls: 10,
  failureRate: 0.5,
  slowRate: 0.5,
  consecutive: 2,
  permits: 2
}

class Hand {
  now = 1000
  readonly breaker = new BreakerState(simple, OPEN_MS)
  readonly time = { now: () => this.now }

  admit(): boolean {
    return this.breaker.admit(this.time)
  }

  ends(failed: boolean, generation = this.breaker.generation, asked = 0): void {
    this.breaker.record(generation, failed, false, this.time, asked)
  }

  /** Brings it there from the start, by calls alone. */
  goTo(state: State): this {
    if (state === "closed") return this
    this.ends(true)
    this.ends(true)
    if (state === "open") return this
    this.now += OPEN_MS
    this.admit()
    return this
  }
}

interface Edge {
  readonly from: State
  readonly when: string
  readonly does: (hand: Hand) => void
  readonly to: State
}

const edge = (from: State, when: string, does: (hand: Hand) => void, to: State): Edge => ({ from, when, does, to })

// Each state with all that may happen in it.
const edges: ReadonlyArray<Edge> = [
  edge("closed", "a call comes", (hand) => assert.isTrue(hand.admit()), "closed"),
  edge("closed", "a call succeeds", (hand) => hand.ends(false), "closed"),
  edge("closed", "fewer fail than are too many", (hand) => hand.ends(true), "closed"),
  edge("closed", "too many fail", (hand) => [1, 2].forEach(() => hand.ends(true)), "open"),
  edge(
    "closed",
    "a success comes between two failures",
    (hand) => [true, false, true].forEach((failed) => hand.ends(failed)),
    "closed"
  ),
  edge("closed", "a call says nothing", (hand) => hand.breaker.forget(hand.breaker.generation), "closed"),
  edge("closed", "time goes by", (hand) => void (hand.now += 1e9), "closed"),
  edge(
    "closed",
    "a call ends that began in another generation",
    (hand) => [1, 2].forEach(() => hand.ends(true, 7)),
    "closed"
  ),
  edge("closed", "it is forced open", (hand) => hand.breaker.command("forcedOpen", hand.time), "open"),
  edge("closed", "it only looks on and too many fail", (hand) => {
    hand.breaker.command("metricsOnly", hand.time)
    hand.goTo("open")
  }, "closed"),
  edge("closed", "it is reset", (hand) => hand.breaker.reset(hand.time), "closed"),
  edge("closed", "one has failed, it is reset, and one fails", (hand) => {
    hand.ends(true)
    hand.breaker.reset(hand.time)
    hand.ends(true)
  }, "closed"),
  edge("open", "a call comes before its time", (hand) => {
    hand.now += OPEN_MS - 1
    assert.isFalse(hand.admit())
  }, "open"),
  edge("open", "a call comes at its time", (hand) => {
    hand.now += OPEN_MS
    assert.deepStrictEqual([1, 2, 3].map(() => hand.admit()), [true, true, false])
  }, "half-open"),
  edge("open", "time goes by and nobody comes", (hand) => void (hand.now += 1e9), "open"),
  edge("open", "a call succeeds that began before", (hand) => [0, 1, 2].forEach(() => hand.ends(false, 0)), "open"),
  edge("open", "a call says nothing", (hand) => hand.breaker.forget(hand.breaker.generation), "open"),
  edge("open", "it is reset", (hand) => hand.breaker.reset(hand.time), "closed"),
  edge("open", "it is disabled", (hand) => hand.breaker.command("disabled", hand.time), "closed"),
  edge("open", "it is forced open, reset, and its time comes", (hand) => {
    hand.breaker.command("forcedOpen", hand.time)
    hand.breaker.reset(hand.time)
    hand.now += 1e9
    assert.isFalse(hand.admit())
  }, "open"),
  edge("open", "it was forced open and decides again", (hand) => {
    hand.breaker.command("forcedOpen", hand.time)
    hand.breaker.command("automatic", hand.time)
  }, "closed"),
  edge("half-open", "a probe fails and the other cannot make up for it", (hand) => hand.ends(true), "open"),
  edge("half-open", "one of two probes succeeds", (hand) => hand.ends(false), "half-open"),
  edge("half-open", "both probes succeed", (hand) => [1, 2].forEach(() => hand.ends(false)), "closed"),
  edge("half-open", "one more call comes than there are permits", (hand) => {
    assert.isTrue(hand.admit())
    assert.isFalse(hand.admit())
  }, "half-open"),
  edge("half-open", "a probe says nothing and another takes its permit", (hand) => {
    assert.isTrue(hand.admit())
    hand.breaker.forget(hand.breaker.generation)
    assert.isTrue(hand.admit())
    assert.isFalse(hand.admit())
  }, "half-open"),
  edge("half-open", "all probes hang for as long as it was open", (hand) => {
    assert.isTrue(hand.admit())
    hand.now += OPEN_MS
    assert.deepStrictEqual([1, 2, 3].map(() => hand.admit()), [true, true, false])
  }, "half-open"),
  edge("half-open", "a call ends that began before", (hand) => [0, 1].forEach((g) => hand.ends(true, g)), "half-open"),
  edge("half-open", "it is reset", (hand) => hand.breaker.reset(hand.time), "closed"),
  edge("half-open", "it is forced open", (hand) => hand.breaker.command("forcedOpen", hand.time), "open"),
  edge("half-open", "it is only to look on", (hand) => hand.breaker.command("metricsOnly", hand.time), "closed"),
  edge("half-open", "it gets a smaller number of permits", (hand) => {
    hand.breaker.configure({ ...simple, permits: 1 })
    assert.isFalse(hand.admit())
  }, "half-open")
]

describe("an edge of the automaton", () => {
  for (const { does, from, to, when } of edges) {
    it(`${from}: when ${when} it is ${to}`, () => {
      const hand = new Hand().goTo(from)
      assert.strictEqual(hand.breaker.state, from)
      does(hand)
      assert.strictEqual(hand.breaker.state, to)
    })
  }

  it("from half-open back to open begins a new time, or the one that the server asks for where that is longer", () => {
    for (const [asked, millis] of [[0, OPEN_MS], [OPEN_MS + 50, OPEN_MS + 50]] as const) {
      const hand = new Hand().goTo("half-open")
      hand.ends(true, hand.breaker.generation, asked)
      hand.now += millis - 1
      assert.isFalse(hand.admit())
      hand.now += 1
      assert.isTrue(hand.admit())
    }
  })
})

class Down extends Data.TaggedError("Down") {}

describe("a breaker whose calls are interrupted at any step", () => {
  it.effect("is never stuck: once the backend is well it lets calls through and closes", () =>
    Effect.gen(function*() {
      const choices = seeded(seed)
      const read = Operation.make("read", { idempotent: true })
      for (let round = 0; round < 60; round++) {
        const slowCall = { after: 20, rate: 0.5 }
        const policy = Policy.make({
          breaker: { window: 6, minimumCalls: 3, openFor: 100, halfOpenCalls: 1 + choices.below(3), slowCall }
        })
        const work = () =>
          Effect.andThen(
            Effect.sleep(choices.below(30)),
            choices.next() < 0.6 ? Effect.fail(new Down()) : choices.next() < 0.5 ? Effect.void : Effect.interrupt
          )
        for (let batch = 0; batch < 8; batch++) {
          const fibers: Array<Fiber.Fiber<unknown>> = []
          for (let n = 0; n < 6; n++) {
            const call = Policy.apply(work(), policy, read)
            const scheduler = choices.next() < 0.5 ? yieldAt(choices.below(40)) : undefined
            const fiber = yield* Effect.forkChild(
              Effect.exit(scheduler === undefined ? call : Effect.provideService(call, Scheduler.Scheduler, scheduler)),
              { startImmediately: true }
            )
            fibers.push(fiber)
            if (choices.next() < 0.4) fiber.interruptUnsafe()
          }
          yield* TestClock.adjust(choices.below(60))
          for (const fiber of fibers) if (choices.next() < 0.3) fiber.interruptUnsafe()
          yield* TestClock.adjust(choices.below(120))
        }
        yield* TestClock.adjust(200)
        for (let n = 0; n < 4; n++) {
          yield* Effect.exit(Policy.apply(Effect.void, policy, read))
          yield* TestClock.adjust(100)
        }
        assert.strictEqual(Policy.snapshot(policy).circuit?.state, "closed", `seed ${seed}, round ${round}`)
      }
    }), 60_000)
})
