/**
 * Measures a case: rounds in which every candidate runs once, in an order that rotates, so that what else the machine does
 * meets all of them alike. A figure is the median of its rounds.
 */
import { type Candidate, type Case, type Goal, inTurn } from "./candidate.ts"
import { mean, median, quantile, rotate, spread } from "./statistics.ts"

export interface Row {
  readonly name: string
  readonly role: Candidate["role"]
  /** Nanoseconds for one operation, without the loop's own. */
  readonly nanos: number
  /** Operations per second, the loop's own cost included. */
  readonly perSecond: number
  /** Between the quartiles, as a share of the median. */
  readonly spread: number
  /** To the cost of `against`. */
  readonly ratio?: number | undefined
  readonly against?: string | undefined
  /** Milliseconds. */
  readonly latency?: {
    readonly mean: number
    readonly median: number
    readonly p95: number
    readonly p99: number
  } | undefined
}

export interface Verdict {
  readonly goal: string
  readonly measured: string
  readonly met: boolean
}

/** What was observed of a trial, in the order of the columns. */
export interface TrialRow {
  readonly name: string
  readonly role: Candidate["role"]
  readonly figures: ReadonlyArray<{ readonly title: string; readonly unit: "ms" | "count"; readonly value: number }>
}

export interface Result {
  readonly name: string
  readonly about: string
  readonly shows: NonNullable<Case["shows"]> | "figures"
  readonly rounds: number
  readonly rows: ReadonlyArray<Row>
  /** In place of `rows` where figures are shown. */
  readonly trials?: ReadonlyArray<TrialRow> | undefined
  readonly verdicts: ReadonlyArray<Verdict>
}

/** A round of one candidate takes about this long, in milliseconds. Where a network takes part it is longer. */
const ROUND: Record<NonNullable<Case["shows"]>, number> = { cost: 25, throughput: 100, latency: 100 }

/** Rounds before those that count. A candidate that says how often it runs may be slow, and gets fewer. */
const WARM_UP_ROUNDS = 6
const FIXED_WARM_UP_ROUNDS = 2

/** Milliseconds. */
const clocks: Record<NonNullable<Case["time"]>, () => number> = {
  wall: () => performance.now(),
  cpu: () => {
    const { system, user } = process.cpuUsage()
    return (system + user) / 1000
  }
}

class Measured {
  readonly candidate: Candidate
  private readonly now: () => number
  times: number
  /** Nanoseconds for one operation, one a round. */
  readonly costs: Array<number> = []
  readonly latencies: Array<ReadonlyArray<number>> = []

  constructor(candidate: Candidate, time: Case["time"]) {
    this.candidate = candidate
    this.now = clocks[time ?? "wall"]
    this.times = candidate.times ?? 0
  }

  async once(times: number): Promise<{ readonly took: number; readonly latencies: ReadonlyArray<number> }> {
    const latencies: Array<number> = []
    await this.candidate.prepare?.(times)
    const began = this.now()
    await this.candidate.run(times, (milliseconds) => latencies.push(milliseconds))
    const took = this.now() - began
    // What a candidate left for later must not run in the next one's time.
    await new Promise((resolve) => setImmediate(resolve))
    return { took, latencies }
  }

  /** Doubles until it takes a good part of a round, then extrapolates. */
  async calibrate(round: number): Promise<void> {
    if (this.candidate.times !== undefined) return
    let times = 64
    let { took } = await this.once(times)
    while (took < round / 4) {
      times *= 2
      // oxlint-disable-next-line no-await-in-loop
      took = (await this.once(times)).took
    }
    this.times = Math.max(64, Math.round(times * round / took))
  }

  async round(): Promise<void> {
    const { latencies, took } = await this.once(this.times)
    this.costs.push(took * 1e6 / this.times)
    if (latencies.length > 0) this.latencies.push(latencies)
  }
}

const rounds = (all: ReadonlyArray<Measured>, count: number) =>
  inTurn(Array.from({ length: count }, (_, n) => rotate(all, n)), (order) => inTurn(order, (one) => one.round()))

const latencyOf = (all: ReadonlyArray<ReadonlyArray<number>>): Row["latency"] =>
  all.length === 0 ? undefined : {
    mean: median(all.map(mean)),
    median: median(all.map(median)),
    p95: median(all.map((one) => quantile(one, 0.95))),
    p99: median(all.map((one) => quantile(one, 0.99)))
  }

interface Net {
  readonly measured: Measured
  /** One a round. */
  readonly costs: ReadonlyArray<number>
  readonly nanos: number
}

const netOf = (all: ReadonlyArray<Measured>) => (measured: Measured): Net => {
  const { loop, role, times } = measured.candidate
  const floor = all.find(({ candidate }) =>
    candidate.role === "floor" && candidate.loop === loop && candidate.times === times
  )
  const costs = floor === undefined || role === "floor"
    ? measured.costs
    : measured.costs.map((cost, n) => cost - (floor.costs[n] ?? 0))
  return { measured, costs, nanos: median(costs) }
}

/** What is left of less than this many nanoseconds, once the loop's cost is taken off, is noise. */
const RESOLUTION = 10

/** Round by round: both met the same weather. */
const ratioOf = (net: Net, to: Net): number | undefined =>
  to.nanos < RESOLUTION ? undefined : median(net.costs.map((cost, n) => cost / (to.costs[n] ?? NaN)))

const rowOf = (nets: ReadonlyArray<Net>, best: Net | undefined) => (net: Net): Row => {
  const { candidate, costs, latencies } = net.measured
  const against = candidate.against === undefined
    ? best
    : nets.find(({ measured }) => measured.candidate.name === candidate.against)
  return {
    name: candidate.name,
    role: candidate.role,
    nanos: net.nanos,
    perSecond: 1e9 / median(costs),
    spread: spread(net.costs),
    ratio: against === undefined || candidate.role === "floor" ? undefined : ratioOf(net, against),
    against: against?.measured.candidate.name,
    latency: latencyOf(latencies)
  }
}

const verdictOf = (nets: ReadonlyArray<Net>) => (goal: Goal): ReadonlyArray<Verdict> => {
  const find = (name: string) => nets.find(({ measured }) => measured.candidate.name === name)
  const net = find(goal.of)
  if (net === undefined) return []
  if ("nanos" in goal) {
    const met = net.nanos <= goal.nanos
    return [{ goal: `${goal.of}: at most ${goal.nanos} ns`, measured: `${net.nanos.toFixed(0)} ns`, met }]
  }
  const against = find(goal.against)
  const ratio = against === undefined ? undefined : ratioOf(net, against)
  if (ratio === undefined) return []
  const text = `${goal.of}: at most ${goal.atMost} times ${goal.against}`
  return [{ goal: text, measured: `${ratio.toFixed(2)} times`, met: ratio <= goal.atMost }]
}

const resultOf = (one: Case, all: ReadonlyArray<Measured>, count: number): Result => {
  const nets = all.map(netOf(all))
  const peers = nets.filter(({ measured }) => measured.candidate.role === "peer")
  const best = peers.toSorted((a, b) => a.nanos - b.nanos)[0]
  return {
    name: one.name,
    about: one.about,
    shows: one.shows ?? "cost",
    rounds: count,
    rows: nets.map(rowOf(nets, best)),
    verdicts: (one.goals ?? []).flatMap(verdictOf(nets))
  }
}

export const measure = async (one: Case, count: number): Promise<Result> => {
  const all = one.candidates.map((candidate) => new Measured(candidate, one.time))
  const fixed = one.candidates.some(({ times }) => times !== undefined)
  try {
    await inTurn(all, ({ candidate }) => candidate.open())
    await inTurn(all, (measured) => measured.calibrate(ROUND[one.shows ?? "cost"]))
    await rounds(all, fixed ? FIXED_WARM_UP_ROUNDS : WARM_UP_ROUNDS)
    for (const measured of all) measured.costs.length = measured.latencies.length = 0
    await rounds(all, count)
    return resultOf(one, all, count)
  } finally {
    await inTurn(all, ({ candidate }) => candidate.close())
  }
}
