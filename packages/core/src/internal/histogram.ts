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

/**
 * What was recorded until some moment, in seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface HistogramSnapshot {
  /** The upper bounds of all buckets but the last, which has none. */
  readonly bounds: ReadonlyArray<number>
  /** `counts[i]` are those up to `bounds[i]` and above the bound before. */
  readonly counts: ReadonlyArray<number>
  readonly count: number
  readonly sum: number
  /** 0 where there are none, as `max`. */
  readonly min: number
  readonly max: number
}

/** Times in buckets whose bounds double, from a microsecond to 36 minutes. */
export class Histogram {
  protected readonly bounds: ReadonlyArray<number>
  private readonly counts: Array<number>
  private sum = 0
  private min = Infinity
  private max = 0

  constructor(bounds: ReadonlyArray<number> = BOUNDS) {
    this.bounds = bounds
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  record(millis: number): void {
    this.add(millis > 0 ? 32 - Math.clz32(Math.min(millis * 1000, 0xffffffff)) : 0, millis)
  }

  protected add(bucket: number, millis: number): void {
    this.counts[bucket]!++
    this.sum += millis
    if (millis < this.min) this.min = millis
    if (millis > this.max) this.max = millis
  }

  snapshot(): HistogramSnapshot {
    return {
      bounds: this.bounds,
      counts: Array.from(this.counts),
      count: this.counts.reduce((total, count) => total + count, 0),
      sum: this.sum / 1000,
      min: this.min === Infinity ? 0 : this.min / 1000,
      max: this.max / 1000
    }
  }
}

/** Times in buckets of any bounds, in seconds and ascending: for what happens less often than a borrow. */
export class BoundedHistogram extends Histogram {
  override record(millis: number): void {
    const seconds = millis / 1000
    const bucket = this.bounds.findIndex((bound) => seconds <= bound)
    this.add(bucket < 0 ? this.bounds.length : bucket, millis)
  }
}
