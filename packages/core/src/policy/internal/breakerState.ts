/**
 * The automaton of a circuit breaker: closed, open, half-open. Synchronous, and given the time, so that every edge can be
 * tested. While it is closed it does not ask for the time at all.
 *
 * Every change of state begins a generation. A call belongs to the generation that admitted it, and its result counts in
 * that one only: what was started before an outage says nothing about the recovery.
 *
 * @internal
 */

export type State = "closed" | "open" | "half-open"

export interface Settings {
  /** Calls looked back on. */
  readonly window: number
  readonly minimumCalls: number
  /** Share of failures, of `minimumCalls` or more, at which it opens. */
  readonly failureRate: number
  /** Calls let through when half-open. */
  readonly permits: number
}

/** Monotonic milliseconds. */
export interface Time {
  now(): number
}

export class BreakerState {
  state: State = "closed"
  generation = 0
  /** Monotonic milliseconds: when it opened last, and when it lets calls through again. */
  openedAt = 0
  openUntil = 0
  /** Milliseconds before it lets calls through again. */
  private period: number
  private since = 0
  private askedUntil = 0
  private readonly settings: Settings
  /** A ring of the last results: 1 is a failure. */
  private readonly results: Uint8Array
  private next = 0
  private recorded = 0
  private failures = 0
  private permitsLeft = 0

  constructor(settings: Settings, period: number) {
    this.settings = settings
    this.period = period
    this.results = new Uint8Array(settings.window)
  }

  /** Whether a call may go on; it then belongs to `generation`, and must be settled by `record` or `forget`. */
  admit(time: Time): boolean {
    if (this.state === "closed") return true
    if (this.rejects(time)) return false
    if (this.state === "open") this.enter("half-open", time.now())
    // Probes that hang must not keep it half-open for ever: others go beside them, and whoever ends first counts.
    else if (this.permitsLeft === 0) this.extend(time.now())
    this.permitsLeft--
    return true
  }

  /** Whether a call may not go on. */
  rejects(time: Time): boolean {
    if (this.state === "closed" || (this.state === "half-open" && this.permitsLeft > 0)) return false
    return time.now() < this.openUntil
  }

  /** Counts a result; `openFor` of the server's own choosing wins over the period where it is longer. */
  record(generation: number, failed: boolean, time: Time, openFor = 0): void {
    if (generation !== this.generation || this.state === "open") return
    this.count(failed)
    const { failureRate, minimumCalls, permits } = this.settings
    if (this.state === "half-open") {
      // Decided as soon as the probes that are left cannot change it.
      const most = this.failures + permits - this.recorded
      if (this.failures >= failureRate * permits) this.open(time, openFor)
      else if (most < failureRate * permits) this.enter("closed", time.now())
    } else if (this.recorded >= minimumCalls && this.failures >= failureRate * this.recorded) {
      this.open(time, openFor)
    }
  }

  /** A call that says nothing about the backend gives its permit back. */
  forget(generation: number): void {
    if (generation === this.generation && this.state === "half-open") this.permitsLeft++
  }

  /** The period that has just begun, and those after it, last so many milliseconds. */
  hold(period: number): void {
    this.period = period
    this.openUntil = Math.max(this.since + period, this.askedUntil)
  }

  /** Failures among the results that count now. */
  get tally(): { readonly calls: number; readonly failures: number } {
    return { calls: this.recorded, failures: this.failures }
  }

  private count(failed: boolean): void {
    const result = failed ? 1 : 0
    if (this.recorded === this.settings.window) this.failures -= this.results[this.next]!
    else this.recorded++
    this.results[this.next] = result
    this.failures += result
    this.next = this.next + 1 === this.settings.window ? 0 : this.next + 1
  }

  private open(time: Time, openFor: number): void {
    const now = time.now()
    this.openedAt = now
    this.askedUntil = now + openFor
    this.enter("open", now)
  }

  private enter(state: State, now: number): void {
    this.state = state
    this.generation++
    this.next =
      this.recorded =
      this.failures =
        0
    this.extend(now)
  }

  /** Begins a period, with permits of its own. */
  private extend(now: number): void {
    this.since = now
    this.permitsLeft = this.settings.permits
    this.hold(this.period)
  }
}
