/**
 * When the next call may begin, for each key: the generic cell rate algorithm, which needs one number for it, the instant
 * at which a bucket that leaks evenly would be empty. Synchronous, and told the time.
 *
 * @internal
 */

export interface Settings {
  /** Milliseconds between two calls at the steady rate. */
  readonly spacing: number
  /** Calls that may come at once after a pause. */
  readonly burst: number
  readonly maxKeys: number
}

/** Milliseconds by which a timer is late as a rule: not held against who waited, or 1,000 a second would be the most. */
const TIMER_LATE = 2

export class Bucket<W> {
  /** Monotonic milliseconds. */
  emptyAt = 0
  /** In the order in which they came; the first of them waits for the time to come, the others for the first. */
  readonly waiters = new Set<W>()
}

export class RateState<W> {
  waiting = 0
  private readonly settings: Settings
  private readonly buckets = new Map<string | undefined, Bucket<W>>()
  /** Shared by the keys for which there is no room, so that a flood of keys is limited too. */
  private readonly overflow = new Bucket<W>()
  private nextSweep = 0

  constructor(settings: Settings) {
    this.settings = settings
  }

  get keys(): number {
    return this.buckets.size
  }

  bucket(key: string | undefined, now: number): Bucket<W> {
    const known = this.buckets.get(key)
    if (known !== undefined) return known
    if (this.buckets.size >= this.settings.maxKeys) this.sweep(now)
    if (this.buckets.size >= this.settings.maxKeys) return this.overflow
    const fresh = new Bucket<W>()
    this.buckets.set(key, fresh)
    return fresh
  }

  /** Milliseconds until a call may begin that waits behind `ahead` others; 0 or less when it may at once. */
  delay(bucket: Bucket<W>, ahead: number, now: number): number {
    const { burst, spacing } = this.settings
    return bucket.emptyAt + (ahead - burst + 1) * spacing - now
  }

  /** A call begins that did not have to wait, or did until a timer woke it. */
  take(bucket: Bucket<W>, now: number, waited: boolean): void {
    bucket.emptyAt = Math.max(bucket.emptyAt, waited ? now - TIMER_LATE : now) + this.settings.spacing
  }

  /** Forgets the keys of which nothing is to be known: an empty bucket is like a new one. */
  private sweep(now: number): void {
    if (now < this.nextSweep) return
    this.nextSweep = now + this.settings.burst * this.settings.spacing
    for (const [key, bucket] of this.buckets) {
      if (bucket.emptyAt <= now && bucket.waiters.size === 0) this.buckets.delete(key)
    }
  }
}
