/**
 * How long something took, over and over: counts in buckets, from which any quantile can be read, and which can be added
 * up over several sources and taken apart by time.
 *
 * @since 0.1.0
 */
import type * as Metric from "effect/Metric"
import { BoundedHistogram, Histogram as DoublingHistogram } from "../internal/histogram.ts"
import type { HistogramSnapshot } from "../internal/histogram.ts"

/**
 * What was recorded until some moment, in seconds.
 *
 * @since 0.1.0
 * @category models
 */
export type Snapshot = HistogramSnapshot

/**
 * Counts times. Recording is a few additions.
 *
 * @since 0.1.0
 * @category models
 */
export interface Histogram {
  /** Milliseconds. */
  readonly record: (millis: number) => void
  readonly snapshot: () => Snapshot
}

/**
 * One whose buckets end at the given bounds, in seconds and ascending; without, at 1, 2, 4, … microseconds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (bounds?: ReadonlyArray<number>): Histogram =>
  bounds === undefined ? new DoublingHistogram() : new BoundedHistogram(bounds)

/**
 * Where to cut the times of what a server is asked for, in seconds: the bounds that OpenTelemetry's conventions advise
 * for `db.client.operation.duration`, and with 2 seconds those of `prisma_query_duration_seconds`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const operationBounds: ReadonlyArray<number> = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10]

/**
 * What several have recorded together; none where there are none. Their bounds must be the same.
 *
 * @since 0.1.0
 * @category combining
 */
export const sum = (snapshots: ReadonlyArray<Snapshot>): Snapshot | undefined => {
  const [first, ...others] = snapshots
  return first === undefined ? undefined : others.reduce(plus, first)
}

const plus = (a: Snapshot, b: Snapshot): Snapshot => {
  if (a.count === 0) return b
  if (b.count === 0) return a
  return {
    bounds: a.bounds,
    counts: a.counts.map((count, bucket) => count + (b.counts[bucket] ?? 0)),
    count: a.count + b.count,
    sum: a.sum + b.sum,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max)
  }
}

/**
 * What was recorded after `before`, an earlier snapshot of the same. `min` and `max` stay those of the whole.
 *
 * @since 0.1.0
 * @category combining
 */
export const since = (before: Snapshot, now: Snapshot): Snapshot => ({
  ...now,
  counts: now.counts.map((count, bucket) => count - (before.counts[bucket] ?? 0)),
  count: now.count - before.count,
  sum: now.sum - before.sum
})

/**
 * As Effect's metrics hold it, in buckets that end at the given bounds, each of which must be one of its own; zeros where
 * there is none.
 *
 * @since 0.1.0
 * @category reading
 */
export const toMetric = (
  snapshot: Snapshot | undefined,
  bounds: ReadonlyArray<number>
): Metric.HistogramState => {
  const { count = 0, counts = [], max = 0, min = 0, sum: total = 0 } = snapshot ?? {}
  const until = (bound: number): number => {
    const last = snapshot?.bounds.indexOf(bound) ?? -1
    return counts.slice(0, last + 1).reduce((all, one) => all + one, 0)
  }
  return { count, min, max, sum: total, buckets: bounds.map((bound) => [bound, until(bound)]) }
}

/**
 * The time in seconds that a share of what was recorded did not exceed: 0.95 for the 95th percentile. As far as its bucket
 * tells, taking those in it for evenly spread, as Prometheus's `histogram_quantile` does; none where nothing was recorded.
 *
 * @since 0.1.0
 * @category reading
 */
export const quantile = (snapshot: Snapshot, share: number): number | undefined => {
  const { bounds, counts, max, min } = snapshot
  if (snapshot.count <= 0) return undefined
  const rank = share * snapshot.count
  let below = 0
  for (const [bucket, count] of counts.entries()) {
    if (count === 0 || below + count < rank) {
      below += count
      continue
    }
    const least = bounds[bucket - 1] ?? 0
    const most = bounds[bucket] ?? Math.max(max, least)
    const estimate = least + (most - least) * Math.max(0, rank - below) / count
    return Math.min(Math.max(estimate, min), max)
  }
  return max
}
