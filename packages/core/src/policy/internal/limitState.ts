/**
 * Decides how many calls may run at once, from how long they take. Synchronous, and told the time, so that a simulation
 * can drive it.
 *
 * Calls are looked at in windows. After a window in which most calls found no permit, an algorithm turns the limit into
 * the next one, given the latency in the window and the latency without a queue (`Baseline`). The latter cannot be seen
 * while the limit is fully used, so now and then only half as many calls are let through for a moment: a probe.
 *
 * @internal
 */
import { Baseline } from "./baseline.ts"

/** What an algorithm decides from; the public type is in AdaptiveLimit.ts. */
export interface Window {
  readonly limit: number
  readonly latency: number
  readonly unloaded: number
  readonly dropShare: number
}

export interface LimitSettings {
  readonly min: number
  readonly max: number
  /** Milliseconds. */
  readonly window: number
  readonly algorithm: { readonly next: (window: Window) => number; readonly usesUnloaded: boolean }
}

/** A call as the limit sees it. */
export interface Sample {
  startedAt: number
  /** Whether few enough calls ran when it began for it to meet no queue. */
  unloaded: boolean
  probe: Probe | undefined
}

/** `dropped`: no answer in time, or the backend asks for less. `unknown` says nothing of the latency. */
export type Ending = "answered" | "dropped" | "unknown"

/** Calls that a window must have seen: as many as in Netflix' concurrency-limits. */
const MIN_CALLS = 10
/** A probe goes on for both, since its mean must mean something, and costs up to half of the goodput meanwhile. */
const PROBE_CALLS = 25
const PROBE_MILLIS = 250
/** Windows after which a baseline that no call could confirm is probed. */
const STALE = 40
/** Windows between two probes. */
const PROBE_GAP = 5
/** Windows after which a probe ends with what it has: some of its calls may hang. */
const PROBE_WINDOWS = 10
/** Windows in a row, with a place for most calls, until an overload counts as over. */
const CALM = 3

/**
 * A limit that has fallen below this share of what it was since the baseline was last confirmed says that either the
 * backend does less or the baseline is too low: the former is seen in the limit, the latter has to be probed.
 */
const FALLEN = 0.6
/** Until the ratio of unloaded latency to latency first falls below this, the limit doubles. */
const QUEUE_SEEN = 0.8

export class Probe {
  readonly startedAt: number
  begun = 0
  pending = 0
  private answered = 0
  private sum = 0
  private sumOfSquares = 0
  /** Whether calls are still held back for it. */
  open = true

  constructor(startedAt: number) {
    this.startedAt = startedAt
  }

  begin(now: number): void {
    this.begun++
    this.pending++
    if (this.begun >= PROBE_CALLS && now - this.startedAt >= PROBE_MILLIS) this.open = false
  }

  end(took: number, answered: boolean): void {
    this.pending--
    if (!answered) return
    this.answered++
    this.sum += took
    this.sumOfSquares += took * took
  }

  learn(baseline: Baseline): void {
    // Where most calls were dropped, those that were not are no sample of the rest.
    if (this.answered * 2 <= this.begun) return
    const mean = this.sum / this.answered
    const variance = Math.max(0, this.sumOfSquares / this.answered - mean * mean)
    baseline.addProbe(mean, this.answered, Math.sqrt(variance / this.answered))
  }
}

export class LimitState {
  limit: number
  readonly baseline = new Baseline()
  private settings: LimitSettings
  private probe: Probe | undefined
  private ramping = true
  /** What the algorithm wanted last: the limit goes there in steps. */
  private aim: number
  /** The largest limit since the baseline was last confirmed. */
  private confirmedLimit: number
  private calm = CALM
  private windowsSinceProbe = PROBE_GAP
  private windowsUnconfirmed = 0
  /** Monotonic milliseconds; the first window begins with the first call. */
  private windowStart = Infinity
  private answered = 0
  private dropped = 0
  private sum = 0
  /** Of the answered those that began while few ran. */
  private unloaded = 0
  private unloadedSum = 0
  private asked = 0
  private blocked = 0

  constructor(settings: LimitSettings, initial: number) {
    this.settings = settings
    this.limit = this.aim = this.confirmedLimit = initial
  }

  /** Goes on with other settings, and with what it knows. */
  configure(settings: LimitSettings): void {
    this.settings = settings
    this.limit = Math.min(Math.max(this.limit, settings.min), settings.max)
    // A limit that was told to be lower has not fallen.
    this.confirmedLimit = Math.min(this.confirmedLimit, settings.max)
  }

  get permits(): number {
    return this.probe?.open === true ? this.few : Math.floor(this.limit)
  }

  /** Whether most calls have lately found no permit. */
  get isOverloaded(): boolean {
    return this.calm < CALM
  }

  /** So few calls at once meet no queue. */
  private get few(): number {
    return Math.max(1, Math.floor(Math.min(this.limit, this.aim) / 2))
  }

  /** A call came, and there was no permit for it, or there was. */
  arrived(blocked: boolean): void {
    if (this.probe?.open === true) return
    this.asked++
    if (blocked) this.blocked++
  }

  started(sample: Sample, running: number, now: number): void {
    if (this.windowStart === Infinity) this.windowStart = now
    sample.startedAt = now
    sample.unloaded = running <= this.few
    if (this.probe?.open === true && sample.unloaded) {
      sample.probe = this.probe
      this.probe.begin(now)
    }
  }

  /** A call ended: the limit may be another one then. */
  ended({ probe, startedAt, unloaded }: Sample, ending: Ending, now: number): void {
    const took = now - startedAt
    if (probe !== undefined) {
      probe.end(took, ending === "answered")
      if (probe === this.probe && !probe.open && probe.pending === 0) this.endProbe(probe, now)
    } else if (ending !== "unknown") {
      this.count(startedAt, took, unloaded, ending)
    }
    const { window } = this.settings
    if (now - this.windowStart >= window && this.answered + this.dropped >= MIN_CALLS) this.endWindow(now)
  }

  private count(startedAt: number, took: number, unloaded: boolean, ending: Ending): void {
    // Begun under the limit before this one: it would be held against this one.
    if (startedAt < this.windowStart) return
    if (ending === "dropped") {
      this.dropped++
    } else {
      this.answered++
      this.sum += took
      if (unloaded) {
        this.unloaded++
        this.unloadedSum += took
      }
    }
  }

  private endProbe(probe: Probe, now: number): void {
    probe.learn(this.baseline)
    this.probe = undefined
    this.windowsSinceProbe = 0
    this.confirm()
    this.beginWindow(now)
  }

  /** Not while the limit is used up: few calls may run then because many have just come at once. */
  private learn(): void {
    this.baseline.add(this.unloadedSum / this.unloaded, this.unloaded)
    this.confirm()
  }

  private confirm(): void {
    this.windowsUnconfirmed = 0
    this.confirmedLimit = this.limit
  }

  private endWindow(now: number): void {
    const { answered, asked, baseline, blocked, dropped } = this
    const limited = blocked * 2 > asked
    this.calm = limited ? 0 : this.calm + 1
    this.windowsSinceProbe++
    this.windowsUnconfirmed++
    if (!baseline.isKnown && answered > 0) baseline.start(this.sum / answered, answered)
    else if (!limited && this.unloaded > 0) this.learn()
    if (blocked === 0 && dropped === 0) baseline.trust()
    if (limited || dropped > 0) this.adjust(limited, now)
    this.beginWindow(now)
    const { probe } = this
    if (probe !== undefined && now - probe.startedAt > PROBE_WINDOWS * this.settings.window) this.endProbe(probe, now)
  }

  private adjust(limited: boolean, now: number): void {
    const { answered, baseline, dropped, limit, settings } = this
    const window = {
      limit,
      latency: answered === 0 ? Infinity : this.sum / answered,
      unloaded: baseline.isKnown ? baseline.millis : 0,
      dropShare: dropped / (answered + dropped)
    }
    const ratio = answered === 0 ? 0 : Math.min(1, window.unloaded / window.latency) * (1 - window.dropShare)
    const next = this.ramping && ratio >= QUEUE_SEEN ? limit * 2 : settings.algorithm.next(window)
    // An algorithm may be anybody's, and nothing is blocked by what is no number.
    const wanted = Number.isNaN(next) ? limit : next
    this.aim = wanted
    const lost = window.dropShare >= 0.5
    // After a loss of most calls it begins anew.
    this.ramping = lost || (this.ramping && ratio >= QUEUE_SEEN)
    const bounded = Math.min(Math.max(wanted, limit / 2), limited ? limit * 2 : limit)
    this.limit = Math.min(Math.max(bounded, settings.min), settings.max)
    this.confirmedLimit = Math.max(this.confirmedLimit, this.limit)
    if (limited && !lost && this.probe === undefined && this.doubtsBaseline) this.probe = new Probe(now)
  }

  private get doubtsBaseline(): boolean {
    if (!this.settings.algorithm.usesUnloaded || this.windowsSinceProbe <= PROBE_GAP) return false
    return this.limit < FALLEN * this.confirmedLimit || this.windowsUnconfirmed > STALE
  }

  private beginWindow(now: number): void {
    this.windowStart = now
    this.answered =
      this.dropped =
      this.sum =
      this.unloaded =
      this.unloadedSum =
      this.asked =
      this.blocked =
        0
  }
}
