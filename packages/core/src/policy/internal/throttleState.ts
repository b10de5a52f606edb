/**
 * How many of the last calls were accepted, and which share of the next ones to hold back. Synchronous, and told the time.
 *
 * @internal
 */

export interface Settings {
  readonly multiplier: number
  /** Milliseconds. */
  readonly window: number
  readonly maxShare: number
}

/** Parts of the window that are forgotten one after the other. */
const PARTS = 40

/** What is known of one part of the window. A call counts where it began. */
export class Part {
  requests = 0
  accepts = 0
}

export class ThrottleState {
  requests = 0
  accepts = 0
  private readonly settings: Settings
  private readonly partMillis: number
  private parts: ReadonlyArray<Part> = Array.from({ length: PARTS }, () => new Part())
  /** The number of the newest part since the clock's zero; it is the last of `parts`. */
  private newest = -Infinity

  constructor(settings: Settings) {
    this.settings = settings
    this.partMillis = settings.window / PARTS
  }

  /** The share of calls to hold back now. */
  share(now: number): number {
    this.forgetUntil(now)
    const share = this.excess(this.requests, this.accepts)
    if (share === 0) return 0
    // What the window still holds of an outage says nothing of a backend that has come back.
    const [before, current] = this.parts.slice(-2)
    const lately = this.excess(before!.requests + current!.requests, before!.accepts + current!.accepts)
    return Math.min(share, lately, this.settings.maxShare)
  }

  /** A call begins, in the part that is given back. */
  begin(): Part {
    const part = this.parts[PARTS - 1]!
    part.requests++
    this.requests++
    return part
  }

  accept(part: Part): void {
    part.accepts++
    if (this.parts.includes(part)) this.accepts++
  }

  /** The call said nothing of the backend. */
  undo(part: Part): void {
    part.requests--
    if (this.parts.includes(part)) this.requests--
  }

  private excess(requests: number, accepts: number): number {
    return Math.max(0, (requests - this.settings.multiplier * accepts) / (requests + 1))
  }

  private forgetUntil(now: number): void {
    const number = Math.floor(now / this.partMillis)
    if (number <= this.newest) return
    const passed = Math.min(number - this.newest, PARTS)
    this.newest = number
    for (const { accepts, requests } of this.parts.slice(0, passed)) {
      this.requests -= requests
      this.accepts -= accepts
    }
    this.parts = [...this.parts.slice(passed), ...Array.from({ length: passed }, () => new Part())]
  }
}
