/**
 * The pool's metrics: OpenTelemetry's names for a client's connections where it has one, `breakwater.pool.*` for the rest.
 *
 * They are read when somebody looks: nothing is counted a second time, a borrow does no work for them, and what they say
 * is what `Pool.stats` says at that moment. Each carries the pool's name; a second pool of the same name shows as
 * `name#2`, for series that are equal would hide one another.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { BOUNDS, type HistogramSnapshot } from "../../internal/histogram.ts"
import type { Stats } from "./stats.ts"

const POOL = "db.client.connection.pool.name"
const STATE = "db.client.connection.state"
const OUTCOME = "breakwater.pool.outcome"

interface Recorded {
  readonly snapshot: () => HistogramSnapshot
}

/**
 * What the metrics of a pool are read from, whenever somebody looks. Times that it does not take are missing.
 *
 * @since 0.1.0
 * @category models
 */
export interface MetricsSource {
  readonly stats: () => Stats
  readonly times: {
    readonly create?: Recorded | undefined
    readonly wait?: Recorded | undefined
    readonly use?: Recorded | undefined
  }
}

type Labels = Readonly<Record<string, string>>
/** Name, unit, what of the statistics, and what it is one of. */
type Row = readonly [id: string, unit: string, of: keyof Stats, labels?: Labels]

const COUNT = "db.client.connection.count"
const BORROWS = "breakwater.pool.borrows"

const gauges: ReadonlyArray<Row> = [
  [COUNT, "{connection}", "idle", { [STATE]: "idle" }],
  [COUNT, "{connection}", "used", { [STATE]: "used" }],
  [COUNT, "{connection}", "opening", { [STATE]: "opening" }],
  [COUNT, "{connection}", "checking", { [STATE]: "checking" }],
  [COUNT, "{connection}", "closing", { [STATE]: "closing" }],
  ["db.client.connection.max", "{connection}", "max"],
  ["db.client.connection.idle.min", "{connection}", "min"],
  ["db.client.connection.pending_requests", "{request}", "waiting"]
]

const counters: ReadonlyArray<Row> = [
  ["db.client.connection.timeouts", "{timeout}", "timedOut"],
  ["breakwater.pool.opened", "{connection}", "opened"],
  ["breakwater.pool.closed", "{connection}", "closed"],
  ["breakwater.pool.reused", "{borrow}", "reused"],
  ["breakwater.pool.revoked", "{borrow}", "revoked"],
  [BORROWS, "{borrow}", "acquired", { [OUTCOME]: "acquired" }],
  [BORROWS, "{borrow}", "timedOut", { [OUTCOME]: "timed_out" }],
  [BORROWS, "{borrow}", "refused", { [OUTCOME]: "refused" }],
  [BORROWS, "{borrow}", "shed", { [OUTCOME]: "shed" }],
  [BORROWS, "{borrow}", "cancelled", { [OUTCOME]: "cancelled" }],
  [BORROWS, "{borrow}", "unavailable", { [OUTCOME]: "unavailable" }],
  [BORROWS, "{borrow}", "nested", { [OUTCOME]: "nested" }],
  [BORROWS, "{borrow}", "refusedClosed", { [OUTCOME]: "refused_closed" }]
]

const histograms = [
  ["db.client.connection.create_time", "create"],
  ["db.client.connection.wait_time", "wait"],
  ["db.client.connection.use_time", "use"]
] as const

/** Of pools that are open now, by where their metrics are. */
const namesIn = new WeakMap<Metric.MetricRegistry, Set<string>>()

const freeName = (taken: ReadonlySet<string>, name: string): string => {
  let free = name
  for (let n = 2; taken.has(free); n++) free = `${name}#${n}`
  return free
}

const stateOf = (histogram: Recorded): Metric.HistogramState => {
  const { count, counts, max, min, sum } = histogram.snapshot()
  let until = 0
  return { count, max, min, sum, buckets: BOUNDS.map((bound, index) => [bound, until += counts[index]!]) }
}

/** Metrics that nobody writes. */
const register = <Input, State>(
  metric: Metric.Metric<Input, State>,
  context: Context.Context<never>,
  get: () => State
): Metric.Registration => Metric.registerUnsafe(metric, context, { get, update: () => {}, modify: () => {} })

/** Shows the metrics of a pool until the returned function is called. */
export const show = (name: string, source: MetricsSource, context: Context.Context<never>): () => void => {
  const registry = Context.get(context, Metric.MetricRegistry)
  const names = namesIn.get(registry) ?? new Set()
  namesIn.set(registry, names)
  const shown = freeName(names, name)
  names.add(shown)
  const optionsOf = (unit: string, labels?: Labels) => ({ attributes: { [POOL]: shown, unit, ...labels } })
  const registrations = [
    ...gauges.map(([id, unit, of, labels]) =>
      register(Metric.gauge(id, optionsOf(unit, labels)), context, () => ({ value: source.stats()[of] }))
    ),
    ...counters.map(([id, unit, of, labels]) =>
      register(Metric.counter(id, { ...optionsOf(unit, labels), incremental: true }), context, () => ({
        count: source.stats()[of],
        incremental: true
      }))
    ),
    ...histograms.flatMap(([id, of]) => {
      const times = source.times[of]
      if (times === undefined) return []
      const metric = Metric.histogram(id, { ...optionsOf("s"), boundaries: BOUNDS })
      return [register(metric, context, () => stateOf(times))]
    })
  ]
  return () => {
    for (const registration of registrations) registration.remove()
    names.delete(shown)
  }
}
