/**
 * The automaton of a circuit breaker: closed, open, half-open. Synchronous, and told the time, so that every edge can be
 * tested.
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
  /** Milliseconds. */
  readonly openFor: number
  /** Calls let through when half-open. */
  readonly permits: number
}

export class BreakerState {
  state: State = "closed"
  generation = 0
  /** Monotonic milliseconds: when it opened last, and when it lets a call through again. */
  openedAt = 0
  openUntil = 0
  private readonly settings: Settings
  /** A ring of the last results: 1 is a failure. */
  private readonly results: Uint8Array
  private next = 0
  private recorded = 0
  private failures = 0
  private running = 0

  constructor(settings: Settings) {
    this.settings = settings
    this.results = new Uint8Array(settings.window)
  }

  /** Whether a call may go on; it then belongs to `generation`, and must be settled by `record` or `forget`. */
  admit(now: number): boolean {
    if (this.state === "closed") return true
    if (this.state === "open") {
      if (now < this.openUntil) return false
      this.enter("half-open", now)
    } else if (this.running + this.recorded >= this.settings.permits) {
      // Probes that hang must not keep it half-open for ever.
      if (now < this.openUntil) return false
      this.enter("half-open", now)
    }
    this.running++
    return true
  }

  /** Counts a result; `openFor` of the server's own choosing wins over the setting where it is longer. */
  record(generation: number, failed: boolean, now: number, openFor = 0): void {
    if (generation !== this.generation || this.state === "open") return
    if (this.state === "half-open") this.running--
    this.count(failed)
    const rate = this.failures / this.recorded
    if (this.state === "closed") {
      if (this.recorded >= this.settings.minimumCalls && rate >= this.settings.failureRate) this.open(now, openFor)
    } else if (this.recorded >= this.settings.permits) {
      if (rate >= this.settings.failureRate) this.open(now, openFor)
      else this.enter("closed", now)
    }
  }

  /** A call that says nothing about the backend gives its permit back. */
  forget(generation: number): void {
    if (generation === this.generation && this.state === "half-open") this.running--
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

  private open(now: number, openFor: number): void {
    this.openedAt = now
    this.enter("open", now, openFor)
  }

  private enter(state: State, now: number, openFor = 0): void {
    this.state = state
    this.generation++
    this.openUntil = now + Math.max(this.settings.openFor, openFor)
    this.next =
      this.recorded =
      this.failures =
      this.running =
        0
  }
}
