/**
 * When something runs on a connection that is lent. Begins and ends are told by the instants that are read for the times
 * of operations anyway.
 *
 * @internal
 */

/**
 * Keeps count, for one connection, of the time in which something runs on it. Instants are monotonic milliseconds. What
 * overlaps counts once.
 *
 * @since 0.1.0
 * @category models
 */
export interface Activity {
  readonly begin: (now: number) => void
  readonly end: (now: number) => void
  /** Until it comes back, the connection is there for what its borrower does: to listen, say. All of it counts. */
  readonly occupy: () => void
  /** For how much of the lease between two instants nothing ran; asked when it ends. Counts anew from then on. */
  readonly idle: (since: number, until: number) => number
}

export class ActivityCount implements Activity {
  private running = 0
  /** Of leases before, not ended yet. */
  private late = 0
  private since = 0
  private busy = 0
  private occupied = false

  begin(now: number): void {
    if (this.running++ === 0) this.since = now
  }

  end(now: number): void {
    // What ends after its lease counts no more; a connection answers in order, so it ends first.
    if (this.late > 0) this.late--
    else if (this.running > 0 && --this.running === 0) this.busy += now - this.since
  }

  occupy(): void {
    this.occupied = true
  }

  idle(since: number, until: number): number {
    const still = this.running > 0 ? until - this.since : 0
    const idle = this.occupied ? 0 : Math.max(0, until - since - this.busy - still)
    this.late += this.running
    this.running = this.busy = 0
    this.occupied = false
    return idle
  }
}
