/** What the scenarios of limits share: a server in stages of load, with a policy in front of it or none. */
import { AdaptiveLimit, Operation, Policy, type PolicyError } from "@breakwater/core"
import { type Distribution, SimulatedServer, Simulation, Traffic } from "@breakwater/testing"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Plot } from "./scenario.ts"

export interface Stage {
  readonly seconds: number
  /** Calls a second. */
  readonly rate: number
  readonly serviceTime: Distribution.Distribution
}

export interface Load {
  readonly threads: number
  readonly stages: ReadonlyArray<Stage>
}

/** What became of the calls, and what could be seen once a second. */
export interface Storm {
  readonly load: Load
  readonly samples: ReadonlyArray<Traffic.Sample>
  /** At the end of each second. */
  readonly limits: ReadonlyArray<number>
  readonly inFlight: ReadonlyArray<number>
  /** At the start of each stage and at the end: requests begun at the server, and the milliseconds of their work. */
  readonly marks: ReadonlyArray<{ readonly begun: number; readonly work: number }>
}

const operation = Operation.make("call", { idempotent: true })

const endsOf = ({ stages }: Load): ReadonlyArray<number> => {
  let end = 0
  return stages.map(({ seconds }) => end += seconds)
}

/** Runs a load through `policy`, which has an adaptive limit or no parts. */
export const storm = (
  load: Load,
  seed: number,
  policy: Policy.Policy<PolicyError.PolicyError> = Policy.make({})
): Storm => {
  const program = Effect.gen(function*() {
    const { stages, threads } = load
    const ends = endsOf(load)
    const time = yield* Simulation.time
    const server = yield* SimulatedServer.make({ threads, serviceTime: () => stages[0]!.serviceTime })
    const marks: Array<{ begun: number; work: number }> = []
    const mark = () => marks.push({ begun: server.begun, work: server.work })
    for (const [n, stage] of stages.entries()) {
      time.after(1000 * (ends[n]! - stage.seconds), () => {
        mark()
        server.serviceTime = () => stage.serviceTime
      })
    }
    const seconds = ends.at(-1)!
    time.after(1000 * seconds, mark)
    const limits: Array<number> = []
    const inFlight: Array<number> = []
    const look = () => {
      limits.push(Policy.snapshot(policy).adaptiveLimit?.limit ?? NaN)
      inFlight.push(server.running + server.waiting)
      if (limits.length < seconds) time.after(1000, look)
    }
    time.after(1000, look)
    const samples = yield* Traffic.poisson({
      rate: (at) => stages[ends.findIndex((end) => at < end)]!.rate,
      peak: Math.max(...stages.map(({ rate }) => rate)),
      seconds,
      call: () => Policy.apply(server.call, policy, operation)
    })
    return { load, samples, limits, inFlight, marks }
  })
  return Simulation.run(program, { seed })
}

export const limited = (load: Load, seed: number): Storm => storm(load, seed, AdaptiveLimit.make())

const DRAWS = 20_000

const quantilesOf = (distribution: Distribution.Distribution): { readonly p50: number; readonly p99: number } => {
  const draws = Simulation.run(
    Effect.map(
      Random.Random,
      (random) =>
        Array.from({ length: DRAWS }, () => distribution(() => random.nextDoubleUnsafe())).toSorted((a, b) => a - b)
    ),
    { seed: 1 }
  )
  return { p50: draws[DRAWS / 2]!, p99: draws[DRAWS * 0.99]! }
}

export interface StageFigures {
  readonly goodput: number
  /** Of what the threads could have done, at the service times that were drawn. */
  readonly capacityUsed: number
  readonly shed: number
  /** Milliseconds, and multiples of those without load. */
  readonly p50: number
  readonly p50Ratio: number
  readonly p99Ratio: number
  /** Seconds until, over the next five, goodput is at 90 % of the capacity and the median at most three times unloaded. */
  readonly settledAfter: number
}

/** Seconds over which goodput and median are looked at. */
const SPAN = 5

const settledAfter = (
  samples: ReadonlyArray<Traffic.Sample>,
  from: number,
  end: number,
  goodput: number,
  p50: number
) =>
  Array.from({ length: end - from - SPAN }, (_, n) => from + n).findIndex((at) =>
    Traffic.goodput(samples, at, at + SPAN) >= goodput &&
    Traffic.percentile(Traffic.between(samples, at, at + SPAN), 0.5) <= p50
  )

export const stageFigures = ({ load, marks, samples }: Storm, n: number): StageFigures => {
  const { seconds, serviceTime } = load.stages[n]!
  const end = endsOf(load)[n]!
  const from = end - seconds
  const mine = Traffic.between(samples, from, end)
  const unloaded = quantilesOf(serviceTime)
  const goodput = Traffic.goodput(samples, from, end)
  const meanWork = (marks[n + 1]!.work - marks[n]!.work) / (marks[n + 1]!.begun - marks[n]!.begun)
  const capacity = (1000 * load.threads) / meanWork
  const p50 = Traffic.percentile(mine, 0.5)
  return {
    goodput,
    capacityUsed: goodput / capacity,
    shed: mine.filter(({ ok }) => !ok).length / mine.length,
    p50,
    p50Ratio: p50 / unloaded.p50,
    p99Ratio: Traffic.percentile(mine, 0.99) / unloaded.p99,
    settledAfter: settledAfter(mine, from, end, 0.9 * capacity, 3 * unloaded.p50)
  }
}

const overTime = ({ load, samples }: Storm, value: "goodput" | "p50") => {
  const seconds = endsOf(load).at(-1)!
  const step = Math.max(1, Math.round(seconds / 120))
  return Array.from({ length: Math.floor(seconds / step) }, (_, n) => {
    const from = n * step
    const figure = value === "goodput"
      ? Traffic.goodput(samples, from, from + step)
      : Traffic.percentile(Traffic.between(samples, from, from + step), 0.5)
    return [from, figure] as const
  })
}

export const plots = (without: Storm, ours: Storm): ReadonlyArray<Plot> => {
  const lines = (value: "goodput" | "p50") => [
    { name: "no limit", points: overTime(without, value) },
    { name: "adaptive limit", points: overTime(ours, value) }
  ]
  return [
    { title: "Goodput", x: "seconds", y: "calls a second", lines: lines("goodput") },
    { title: "Median latency", x: "seconds", y: "milliseconds", log: true, lines: lines("p50") }
  ]
}
