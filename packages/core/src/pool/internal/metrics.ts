/**
 * The pool's metrics. They are read when somebody looks: nothing is counted a second time, a borrow does no work for them,
 * and what they say is what `Pool.stats` says at that moment. Each carries the pool's name.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import type * as Metric from "effect/Metric"
import { BOUNDS, type HistogramSnapshot } from "../../internal/histogram.ts"
import { attributes, type MetricName, peers, pool } from "../../internal/metricNames.ts"
import * as Metrics from "../../internal/metrics.ts"
import type { Stats } from "./stats.ts"

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
    readonly heldIdle?: Recorded | undefined
  }
  /** Connections given up so far, by why, where it is peers who open them. */
  readonly lost?: { readonly [K in keyof typeof peers]: () => number } | undefined
}

const { create, heldIdle, timeouts, use, wait, ...numbers } = pool

// `keep` is a setting of ours, in no metric.
const named: { readonly [K in Exclude<keyof Stats, "keep">]: MetricName } = numbers

// They are the keys of the object above.
const names = Object.keys(named) as ReadonlyArray<keyof typeof named>

const stateOf = (histogram: Recorded): Metric.HistogramState => {
  const { count, counts, max, min, sum } = histogram.snapshot()
  let until = 0
  return { count, max, min, sum, buckets: BOUNDS.map((bound, index) => [bound, until += counts[index]!]) }
}

const timed = (name: MetricName, times: Recorded | undefined): ReadonlyArray<Metrics.Series> =>
  times === undefined ? [] : [Metrics.histogram(name, BOUNDS, () => stateOf(times))]

const lostOf = (lost: MetricsSource["lost"]): ReadonlyArray<Metrics.Series> =>
  lost === undefined
    ? []
    : [Metrics.number(peers.pingTimeout, lost.pingTimeout), Metrics.number(peers.slowReader, lost.slowReader)]

/** Shows the metrics of a pool until the returned function is called. */
export const show = (name: string, source: MetricsSource, context: Context.Context<never>): () => void => {
  const { lost, times } = source
  return Metrics.show(
    { key: attributes.pool, name },
    [
      ...names.map((of) => Metrics.number(named[of], () => source.stats()[of])),
      Metrics.number(timeouts, () => source.stats().timedOut),
      ...timed(create, times.create),
      ...timed(wait, times.wait),
      ...timed(use, times.use),
      ...timed(heldIdle, times.heldIdle),
      ...lostOf(lost)
    ],
    context
  )
}
