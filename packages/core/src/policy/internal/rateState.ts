/**
 * When the next call may begin, for each key: the generic cell rate algorithm, which needs one number for it, the instant
 * at which a bucket that leaks evenly would be empty. Synchronous, and told the time.
 *
 * @internal
 */

export interface Rate {
  /** Milliseconds between two calls at the steady rate. */
  readonly spacing: number
  /** Calls that may come at once after a pause. */
  readonly burst: number
}

/** Milliseconds by which a timer is late as a rule: not held against who waited, or 1,000 a second would be the most. */
const TIMER_LATE = 2

/** Keys that are kept before it is looked for those of which nothing is to be known. */
const FEW = 100

export class Bucket<W> {
  /** Monotonic milliseconds, at the rate that was in force when it was last looked at. */
  emptyAt = 0
  spacing: number
  /** In the order in which they came; the first of them waits for the time to come, the others for the first. */
  readonly waiters = new Set<W>()

  constructor(spacing: number) {
    this.spacing = spacing
  }
}

export class RateState<W> {
  waiting = 0
  rate: Rate
  private readonly maxKeys: number
  private readonly buckets = new Map<string | undefined, Bucket<W>>()
  /** Shared by the keys for which there is no room, so that a flood of keys is limited too. */
  private readonly overflow: Bucket<W>
  private nextSweep = 0
  private sweepAt = FEW

  constructor(rate: Rate, maxKeys: number) {
    this.rate = rate
    this.maxKeys = maxKeys
    this.overflow = new Bucket(rate.spacing)
  }

  get keys(): number {
    return this.buckets.size
  }

  /** Those for whom somebody waits. */
  waitedFor(): ReadonlyArray<Bucket<W>> {
    return [...this.buckets.values(), this.overflow].filter(({ waiters }) => waiters.size > 0)
  }

  bucket(key: string | undefined, now: number): Bucket<W> {
    const known = this.buckets.get(key)
    if (known !== undefined) return known
    if (this.buckets.size >= Math.min(this.sweepAt, this.maxKeys)) this.sweep(now)
    if (this.buckets.size >= this.maxKeys) return this.overflow
    const fresh = new Bucket<W>(this.rate.spacing)
    this.buckets.set(key, fresh)
    return fresh
  }

  /** Milliseconds until a call may begin that waits behind `ahead` others; 0 or less when it may at once. */
  delay(bucket: Bucket<W>, ahead: number, now: number): number {
    this.adapt(bucket, now)
    const { burst, spacing } = this.rate
    return bucket.emptyAt + (ahead - burst + 1) * spacing - now
  }

  /** A call begins that did not have to wait, or did until a timer woke it. */
  take(bucket: Bucket<W>, now: number, waited: boolean): void {
    this.adapt(bucket, now)
    bucket.emptyAt = Math.max(bucket.emptyAt, waited ? now - TIMER_LATE : now) + this.rate.spacing
  }

  /** At another rate it holds as many calls as before. */
  private adapt(bucket: Bucket<W>, now: number): void {
    const { spacing } = this.rate
    if (bucket.spacing === spacing) return
    bucket.emptyAt = now + Math.max(0, bucket.emptyAt - now) * spacing / bucket.spacing
    bucket.spacing = spacing
  }

  /** Forgets the keys of which nothing is to be known: an empty bucket is like a new one. */
  private sweep(now: number): void {
    if (now < this.nextSweep) return
    this.nextSweep = now + this.rate.burst * this.rate.spacing
    for (const [key, bucket] of this.buckets) {
      if (bucket.emptyAt <= now && bucket.waiters.size === 0) this.buckets.delete(key)
    }
    // Twice what is in use: a lookup costs the same however many keys there are.
    this.sweepAt = Math.max(FEW, 2 * this.buckets.size)
  }
}
