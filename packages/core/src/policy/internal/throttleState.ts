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

/** The window is forgotten by so many parts, one after the other. */
const PARTS = 40

/** What is known of one part of the window. A call counts where it began. */
export class Part {
  /** Monotonic milliseconds. */
  readonly begunAt: number
  requests = 0
  accepts = 0
  isForgotten = false

  constructor(begunAt: number) {
    this.begunAt = begunAt
  }
}

export class ThrottleState {
  requests = 0
  accepts = 0
  settings: Settings
  /** In the order of time, those in which a call began and no others. */
  private readonly parts: Array<Part> = []

  constructor(settings: Settings) {
    this.settings = settings
  }

  /** The share of calls to hold back now. */
  share(now: number): number {
    this.forgetUntil(now)
    const share = this.excess(this.requests, this.accepts)
    if (share === 0) return 0
    // What the window still holds of an outage says nothing of a backend that has come back.
    const recent = this.startAt(now) - 1.5 * this.partMillis
    let requests = 0
    let accepts = 0
    for (let at = this.parts.length - 1; at >= 0 && this.parts[at]!.begunAt > recent; at--) {
      requests += this.parts[at]!.requests
      accepts += this.parts[at]!.accepts
    }
    return Math.min(share, this.excess(requests, accepts), this.settings.maxShare)
  }

  /** A call begins, in the part that is given back. */
  begin(now: number): Part {
    const startAt = this.startAt(now)
    let part = this.parts.at(-1)
    if (part === undefined || part.begunAt < startAt) {
      part = new Part(startAt)
      this.parts.push(part)
    }
    part.requests++
    this.requests++
    return part
  }

  accept(part: Part): void {
    part.accepts++
    if (!part.isForgotten) this.accepts++
  }

  /** The call said nothing of the backend. */
  undo(part: Part): void {
    part.requests--
    if (!part.isForgotten) this.requests--
  }

  private get partMillis(): number {
    return this.settings.window / PARTS
  }

  private startAt(now: number): number {
    return Math.floor(now / this.partMillis) * this.partMillis
  }

  private excess(requests: number, accepts: number): number {
    return Math.max(0, (requests - this.settings.multiplier * accepts) / (requests + 1))
  }

  private forgetUntil(now: number): void {
    // Half a part more, since what is multiplied is not exact.
    const oldest = this.startAt(now) - (PARTS - 0.5) * this.partMillis
    while (this.parts.length > 0 && this.parts[0]!.begunAt < oldest) {
      const part = this.parts.shift()!
      part.isForgotten = true
      this.requests -= part.requests
      this.accepts -= part.accepts
    }
  }
}
