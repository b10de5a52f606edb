/**
 * How long something took, over and over: 33 counters whose bounds double, so that recording is an addition, and the
 * reading of any quantile is right within a factor of two.
 *
 * @internal
 */

/** The first bucket ends at a microsecond, the last but one after 36 minutes. */
const BUCKETS = 33

/** The upper bounds of all buckets but the last, which has none, in seconds. */
export const BOUNDS: ReadonlyArray<number> = Array.from({ length: BUCKETS - 1 }, (_, index) => 2 ** index / 1e6)

/** What was recorded until some moment, in seconds; `counts[i]` are those up to `BOUNDS[i]`. */
export interface HistogramSnapshot {
  readonly counts: ReadonlyArray<number>
  readonly count: number
  readonly sum: number
  /** 0 where there are none, as `max`. */
  readonly min: number
  readonly max: number
}

export class Histogram {
  private readonly counts = Array.from({ length: BUCKETS }, () => 0)
  private sum = 0
  private min = Infinity
  private max = 0

  record(millis: number): void {
    const bucket = millis > 0 ? 32 - Math.clz32(Math.min(millis * 1000, 0xffffffff)) : 0
    this.counts[bucket]!++
    this.sum += millis
    if (millis < this.min) this.min = millis
    if (millis > this.max) this.max = millis
  }

  snapshot(): HistogramSnapshot {
    return {
      counts: Array.from(this.counts),
      count: this.counts.reduce((total, count) => total + count, 0),
      sum: this.sum / 1000,
      min: this.min === Infinity ? 0 : this.min / 1000,
      max: this.max / 1000
    }
  }
}
