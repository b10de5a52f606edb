/**
 * The automaton of a circuit breaker: closed, open, half-open. Synchronous, and given the time, so that every edge can be
 * tested. While it is closed it does not ask for the time at all.
 *
 * Every change of state begins a generation. A call belongs to the generation that admitted it, and its result counts in
 * that one only: what was started before an outage says nothing about the recovery.
 *
 * @internal
 */
import * as Windows from "./window.ts"

export type State = "closed" | "open" | "half-open"

export type Mode = "automatic" | "forcedOpen" | "metricsOnly" | "disabled"

export interface Settings {
  readonly window: Windows.Span
  readonly minimumCalls: number
  /** Share of failures, of `minimumCalls` or more, at which it opens. */
  readonly failureRate: number
  /** The same for slow calls; `Infinity` when it never does. */
  readonly slowRate: number
  /** Failures in a row at which it opens; `Infinity` when it never does. */
  readonly consecutive: number
  /** Calls let through when half-open. */
  readonly permits: number
}

/** Monotonic milliseconds. */
export interface Time {
  now(): number
}

interface Probes extends Windows.Tally {
  calls: number
  failures: number
  slow: number
}

export class BreakerState {
  state: State
  mode: Mode
  generation = 0
  /** Monotonic milliseconds: when it opened last, if anybody was there, and when it lets calls through again. */
  openedAt: number | undefined
  openUntil = 0
  /** Milliseconds before it lets calls through again. */
  private period: number
  private since = 0
  private askedUntil = 0
  private settings: Settings
  private window: Windows.Window
  private inARow = 0
  private probes: Probes = { calls: 0, failures: 0, slow: 0 }
  private permitsLeft = 0

  constructor(settings: Settings, period: number, mode: Mode = "automatic") {
    this.settings = settings
    this.period = period
    this.mode = mode
    this.state = mode === "forcedOpen" ? "open" : "closed"
    if (mode === "forcedOpen") this.openUntil = Infinity
    this.window = Windows.make(settings.window)
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
  record(generation: number, failed: boolean, slow: boolean, time: Time, openFor = 0): void {
    if (generation !== this.generation || this.state === "open") return
    if (this.state === "half-open") {
      this.recordProbe(failed, slow, time, openFor)
      return
    }
    this.window.add(failed, slow, time)
    this.inARow = failed ? this.inARow + 1 : 0
    if (this.mode !== "metricsOnly" && this.isTooMuch()) this.open(time, openFor)
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

  /** Lets calls through now, or when the server said, where it is open until later. */
  probe(time: Time): void {
    if (this.state === "open" && this.mode !== "forcedOpen") {
      this.openUntil = Math.min(this.openUntil, Math.max(time.now(), this.askedUntil))
    }
  }

  /** Puts it under command, or lets it decide again. It begins anew where it was open, or is to be open. */
  command(mode: Mode, time: Time): void {
    if (mode === this.mode) return
    this.mode = mode
    if (mode === "forcedOpen") this.open(time, Infinity)
    else if (this.state !== "closed") this.enter("closed", time.now())
  }

  /** Forgets everything but the command it is under. What runs now does not count. */
  reset(time: Time): void {
    if (this.mode !== "forcedOpen") this.enter("closed", time.now())
  }

  /** Goes on with other settings, and with what it knows. */
  configure(settings: Settings): void {
    this.window = Windows.resized(this.window, this.settings.window, settings.window)
    this.permitsLeft = Math.max(0, this.permitsLeft + settings.permits - this.settings.permits)
    this.settings = settings
  }

  /** The results that count now. */
  get tally(): Windows.Tally {
    const { calls, failures, slow } = this.state === "half-open" ? this.probes : this.window
    return { calls, failures, slow }
  }

  private isTooMuch(): boolean {
    const { consecutive, failureRate, minimumCalls, slowRate } = this.settings
    if (this.inARow >= consecutive) return true
    const { calls, failures, slow } = this.window
    return calls >= minimumCalls && (failures >= failureRate * calls || slow >= slowRate * calls)
  }

  private recordProbe(failed: boolean, slow: boolean, time: Time, openFor: number): void {
    const { probes } = this
    probes.calls++
    if (failed) probes.failures++
    if (slow) probes.slow++
    // Decided as soon as the probes that are left cannot change it.
    const { failureRate, permits, slowRate } = this.settings
    const left = Math.max(0, permits - probes.calls)
    const ends = (bad: number, rate: number) => bad >= rate * permits
    if (ends(probes.failures, failureRate) || ends(probes.slow, slowRate)) this.open(time, openFor)
    else if (!ends(probes.failures + left, failureRate) && !ends(probes.slow + left, slowRate)) {
      this.enter("closed", time.now())
    }
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
    this.window.clear()
    this.inARow = 0
    this.probes = { calls: 0, failures: 0, slow: 0 }
    this.extend(now)
  }

  /** Begins a period, with permits of its own. */
  private extend(now: number): void {
    this.since = now
    this.permitsLeft = this.settings.permits
    this.hold(this.period)
  }
}
