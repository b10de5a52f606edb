/**
 * The pool's metrics. They are read when somebody looks: nothing is counted a second time, a borrow does no work for them,
 * and what they say is what `Pool.stats` says at that moment. Each carries the pool's name.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import type * as Metric from "effect/Metric"
import { attributes, type MetricName, pool } from "../../internal/metricNames.ts"
import * as Metrics from "../../internal/metrics.ts"
import { BOUNDS, type Histogram } from "./histogram.ts"
import type { Stats } from "./stats.ts"

/** What the metrics are read from. */
interface Source {
  stats(): Stats
  readonly times: { readonly create: Histogram; readonly wait: Histogram; readonly use: Histogram }
}

const { create, timeouts, use, wait, ...numbers } = pool

// `keep` is a setting of ours, in no metric.
const named: { readonly [K in Exclude<keyof Stats, "keep">]: MetricName } = numbers

// They are the keys of the object above.
const names = Object.keys(named) as ReadonlyArray<keyof typeof named>

const stateOf = (histogram: Histogram): Metric.HistogramState => {
  const { count, counts, max, min, sum } = histogram.snapshot()
  let until = 0
  return { count, max, min, sum, buckets: BOUNDS.map((bound, index) => [bound, until += counts[index]!]) }
}

/** Shows the metrics of a pool until the returned function is called. */
export const show = (name: string, source: Source, context: Context.Context<never>): () => void => {
  const { times } = source
  return Metrics.show(
    { key: attributes.pool, name },
    [
      ...names.map((of) => Metrics.number(named[of], () => source.stats()[of])),
      Metrics.number(timeouts, () => source.stats().timedOut),
      Metrics.histogram(create, BOUNDS, () => stateOf(times.create)),
      Metrics.histogram(wait, BOUNDS, () => stateOf(times.wait)),
      Metrics.histogram(use, BOUNDS, () => stateOf(times.use))
    ],
    context
  )
}
