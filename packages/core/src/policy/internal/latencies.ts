/** Buckets for each doubling: what is read from them is 4.4 % too long at most. */
const FINENESS = 16

/** Milliseconds: the edge of the first bucket, and how many doublings of it there are; together half an hour. */
const LEAST = 0.1
const DOUBLINGS = 24

/** Half of what is known is forgotten each time that so many calls are. */
const MEMORY = 2000

/** Calls after which a percentile is looked up again. */
const STALE_AFTER = 32

/**
 * How long calls took, of the last two thousand or so, for one percentile of them.
 *
 * @internal
 */
export class Latencies {
  private share: number
  private least: number
  private readonly counts = new Float64Array(DOUBLINGS * FINENESS + 1)
  private total = 0
  private recorded = 0
  private known: number | undefined

  /** The percentile is given as a share, and is known once there are `least` calls. */
  constructor(share: number, least: number) {
    this.share = share
    this.least = least
  }

  /** Asks for another percentile of what has been recorded. */
  configure(share: number, least: number): void {
    this.share = share
    this.least = least
    this.known = this.recorded >= least ? this.lookUp() : undefined
  }

  record(millis: number): void {
    const bucket = Math.ceil(Math.log2(millis / LEAST) * FINENESS)
    this.counts[Math.min(Math.max(0, bucket), this.counts.length - 1)]!++
    this.total++
    this.recorded++
    if (this.total >= MEMORY) this.halve()
    if (this.recorded >= this.least && (this.known === undefined || this.recorded % STALE_AFTER === 0)) {
      this.known = this.lookUp()
    }
  }

  /** Milliseconds; what takes longer is rarer than the percentile says. */
  get percentile(): number | undefined {
    return this.known
  }

  private halve(): void {
    this.total /= 2
    this.counts.forEach((count, bucket) => {
      this.counts[bucket] = count / 2
    })
  }

  private lookUp(): number {
    let below = 0
    const bucket = this.counts.findIndex((count) => (below += count) >= this.share * this.total)
    return LEAST * 2 ** (bucket / FINENESS)
  }
}
