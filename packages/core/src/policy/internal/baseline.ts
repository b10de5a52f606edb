/**
 * How long a call takes while the backend has no queue: what every latency is compared with. It is learned from calls
 * that began while few were running, and forgets slowly.
 *
 * @internal
 */

/** The share of what is known that one call replaces: some 200 of them are remembered. */
const WEIGHT = 0.01

const weightOf = (calls: number): number => 1 - (1 - WEIGHT) ** calls

/**
 * How many times the latency known from times without a queue is believed of a backend that is overloaded. A backend may
 * become slower by that much (a cold cache, a larger table), beyond it an answer is no sign of health: a stable time-out
 * of some proxy on the way would otherwise be taken for the latency to aim at.
 */
const BELIEVED = 10

/**
 * A probe replaces what was known when it is longer by that many standard errors of its mean, and by that factor. Not when
 * it is shorter: a few calls may all have been short ones, and that a backend became faster is seen without probes.
 */
const FAR_ERRORS = 3
const FAR_FACTOR = 1.5

export class Baseline {
  /** Mean milliseconds; `NaN` until there is a first mean. */
  millis = NaN
  private healthy = NaN
  private calls = 0

  get isKnown(): boolean {
    return this.calls > 0
  }

  /** The first that is known: the mean of some calls, not the first ones to end, which are the short ones. */
  start(mean: number, calls: number): void {
    this.millis = this.healthy = mean
    this.calls = calls
  }

  /** So many calls that began while few ran took so long on average. */
  add(mean: number, calls: number): void {
    this.calls += calls
    this.blend(mean, Math.max(weightOf(calls), calls / this.calls))
  }

  /** Calls took so long on average while the others were held back; `error` is the standard error of that. */
  addProbe(mean: number, calls: number, error: number): void {
    const far = mean > FAR_FACTOR * this.millis && mean - this.millis > FAR_ERRORS * error
    this.blend(mean, far ? 1 : weightOf(calls))
  }

  /** There was room for every call: what was learned is the health of the backend and not its overload. */
  trust(): void {
    this.healthy = this.millis
  }

  private blend(mean: number, weight: number): void {
    this.millis = Math.min(this.millis + weight * (mean - this.millis), this.healthy * BELIEVED)
  }
}
