/** How many calls go unmeasured for one that is: reading the clock twice is a good part of what a retry costs. */
const SKIPPED = 15

/** The weight of the newest measurement. */
const WEIGHT = 1 / 8

/**
 * How long an attempt takes that succeeds: a running mean over a sample of the calls, in milliseconds.
 *
 * @internal
 */
export class AttemptTime {
  /** 0 as long as nothing was measured. */
  expected = 0
  private measured = false
  private skip = 0

  /** Whether the next call is one of the sample. */
  isDue(): boolean {
    this.skip = this.skip === 0 ? SKIPPED : this.skip - 1
    return this.skip === SKIPPED
  }

  record(millis: number): void {
    this.expected = this.measured ? this.expected + WEIGHT * (millis - this.expected) : millis
    this.measured = true
  }
}
