/**
 * What policies count, and what they show of it.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"

/**
 * What a circuit shows: its state, who decides it, and the attempts that count in it. A window by time shows those up
 * to the last one.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitState {
  readonly state: "closed" | "open" | "half-open"
  readonly mode: "automatic" | "forcedOpen" | "metricsOnly" | "disabled"
  readonly calls: number
  readonly failures: number
  /** Of those that are timed: 0 without `slowCall`. */
  readonly slow: number
}

/**
 * What a bulkhead shows. With `perKey` the calls of all keys, the permits of each, and how many keys have a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface BulkheadState {
  readonly running: number
  readonly waiting: number
  readonly permits: number
  readonly keys?: number
}

/**
 * What an adaptive limit shows.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveLimitState {
  /** Calls that may run at once. */
  readonly limit: number
  readonly running: number
  readonly waiting: number
  /** How long a call takes while the backend has no queue; unknown before the first calls. */
  readonly unloaded: Duration.Duration | undefined
}

/**
 * What a throttle looks back on: the calls in its window, and how many of them the backend accepted.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThrottleWindow {
  readonly requests: number
  readonly accepts: number
}

/**
 * What a rate limit shows: the keys it keeps, and the calls that wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimitState {
  readonly keys: number
  readonly waiting: number
}

/**
 * What a retry budget shows.
 *
 * @category models
 * @since 0.1.0
 */
export interface BudgetState {
  /** Attempts that may be made; what its floor has paid since the last one was asked for is not in it. */
  readonly balance: number
  /** Attempts that each success earns. */
  readonly share: number
}

/**
 * What stages show of their state now.
 *
 * @internal
 */
export interface Gauges {
  /** Of a breaker with several circuits the worst. */
  readonly circuit?: CircuitState
  readonly bulkhead?: BulkheadState
  readonly adaptiveLimit?: AdaptiveLimitState
  readonly throttle?: ThrottleWindow
  readonly rateLimit?: RateLimitState
  readonly retryBudget?: BudgetState
  /** How long a hedge waits now before it asks a second time; from when it has measured enough calls. */
  readonly hedgeAfter?: Duration.Duration
}

/** Shown as they are counted. */
interface Counted {
  /** Retries scheduled. */
  retries: number
  /** Failures not repeated since that would not have been right. */
  retriesSkipped: number
  /** Failures not repeated since no attempt was left. */
  retriesExhausted: number
  /** Retries and hedges not made for want of budget. */
  overBudget: number
  /** Second attempts begun beside a slow first one, and how many of them were the first to answer. */
  hedges: number
  hedgesWon: number
  /** Calls that a hedge was not right for. */
  hedgesSkipped: number
  attemptTimeouts: number
  deadlinesExceeded: number
  /** How often a circuit opened, and the attempts it rejected. */
  circuitOpened: number
  circuitRejected: number
  bulkheadRefused: number
  /** Attempts delayed, failed or hung on purpose. */
  faultsInjected: number
  /** Calls refused by an adaptive limit. */
  limitRefused: number
  throttled: number
  rateLimited: number
  /** How often what was broken was cleared away. */
  recoveries: number
}

/** @internal */
export interface Counts extends Counted {
  calls: number
  /** Calls that ended before their first attempt, and attempts after the first. */
  unstarted: number
  repeats: number
}

const zeroCounted: Counted = {
  retries: 0,
  retriesSkipped: 0,
  retriesExhausted: 0,
  overBudget: 0,
  hedges: 0,
  hedgesWon: 0,
  hedgesSkipped: 0,
  attemptTimeouts: 0,
  deadlinesExceeded: 0,
  circuitOpened: 0,
  circuitRejected: 0,
  bulkheadRefused: 0,
  faultsInjected: 0,
  limitRefused: 0,
  throttled: 0,
  rateLimited: 0,
  recoveries: 0
}

// They are the keys of an object with these keys and no others.
const counted = Object.keys(zeroCounted) as ReadonlyArray<keyof Counted>

/** @internal */
export const zeroCounts = (): Counts => ({ calls: 0, unstarted: 0, repeats: 0, ...zeroCounted })

/**
 * How much a policy has done since it was made, and how things stand where it has a state. A policy without parts
 * counts nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshot extends Readonly<Counted>, Gauges {
  readonly name: string
  /** Calls begun. */
  readonly calls: number
  /** Attempts begun; above `calls` by the repetitions, below by calls whose deadline had passed before they began. */
  readonly attempts: number
}

/** @internal */
export const snapshotOf = (name: string, counts: Counts, gauges: ReadonlyArray<Gauges | undefined>): Snapshot => {
  const { calls, repeats, unstarted, ...others } = counts
  return Object.assign({ name, calls, attempts: calls - unstarted + repeats, ...others }, ...gauges)
}

/**
 * What two policies did together, named after the first: for backends that have several. How things stand cannot be
 * added and is left out.
 *
 * @category getters
 * @since 0.1.0
 */
export const addCounts = (a: Snapshot, b: Snapshot): Snapshot => {
  const calls = a.calls + b.calls
  const sum: Counts = { ...zeroCounts(), calls, repeats: a.attempts + b.attempts - calls }
  for (const name of counted) sum[name] = a[name] + b[name]
  return snapshotOf(a.name, sum, [])
}
