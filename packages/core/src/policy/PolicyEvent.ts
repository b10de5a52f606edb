/**
 * What a policy did to a call. Events are published, never logged, and cost nothing while nobody listens.
 *
 * Each names its policy and operation. A call that fails and is not repeated gives at most one of `RetrySkipped`,
 * `RetriesExhausted` and `DeadlineExceeded`.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"

/**
 * What every event carries.
 *
 * @category models
 * @since 0.1.0
 */
export interface Common {
  /** Name of the policy. */
  readonly policy: string
  /** Name of the operation. */
  readonly operation: string
  /** Time since the call began; for one that began before anybody listened, since then. */
  readonly elapsed: Duration.Duration
}

/**
 * An attempt failed, and the next begins after `delay`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryScheduled extends Common {
  readonly _tag: "RetryScheduled"
  /** The attempt that failed; the first is 1. */
  readonly attempt: number
  /** How many attempts there may be. */
  readonly of: number
  readonly delay: Duration.Duration
  /** What the attempt failed with. */
  readonly cause: unknown
}

/**
 * An attempt failed and is not repeated, since that would not be right:
 * - `NotIdempotent`: it may have taken effect, and repeating it is not safe
 * - `Nested`: a policy further out repeats the call already
 * - `NoPushback`: the backend is overloaded and did not say when to come back
 * - `PushbackTooLong`: it did, and that is longer than the policy waits
 *
 * @category models
 * @since 0.1.0
 */
export interface RetrySkipped extends Common {
  readonly _tag: "RetrySkipped"
  readonly why: "NotIdempotent" | "Nested" | "NoPushback" | "PushbackTooLong"
  /** The attempt that failed; the first is 1. */
  readonly attempt: number
  /** How many attempts there might have been. */
  readonly of: number
  /** What the attempt failed with. */
  readonly cause: unknown
}

/**
 * An attempt failed and no further one is left:
 * - `Times`: it was the last that the policy allows
 * - `Schedule`: the schedule of the policy ended
 * - `Deadline`: the next delay, and an attempt as long as they usually are, would take longer than the time left
 * - `Budget`: the callers of the backend have together made as many attempts beyond the first as they may
 *
 * @category models
 * @since 0.1.0
 */
export interface RetriesExhausted extends Common {
  readonly _tag: "RetriesExhausted"
  readonly why: "Times" | "Schedule" | "Deadline" | "Budget"
  /** The attempt that failed; the first is 1. */
  readonly attempt: number
  /** How many attempts there might have been. */
  readonly of: number
  /** What the attempt failed with; the call fails with it too. */
  readonly cause: unknown
}

/**
 * The first attempt is slow, and a second one begins beside it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hedged extends Common {
  readonly _tag: "Hedged"
  /** How long the first attempt had taken. */
  readonly after: Duration.Duration
}

/**
 * The second attempt of a hedge answered before the first.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeWon extends Common {
  readonly _tag: "HedgeWon"
}

/**
 * A call is asked once, though the policy hedges:
 * - `NotIdempotent`: asking twice is not safe
 * - `Nested`: a policy further out repeats the call already
 * - `Budget`: the first attempt is slow, but the callers of the backend have together made as many attempts beyond the
 *   first as they may
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeSkipped extends Common {
  readonly _tag: "HedgeSkipped"
  readonly why: "NotIdempotent" | "Nested" | "Budget"
}

/**
 * An attempt took longer than its timeout.
 *
 * @category models
 * @since 0.1.0
 */
export interface AttemptTimedOut extends Common {
  readonly _tag: "AttemptTimedOut"
  /** The attempt that was cut; the first is 1. */
  readonly attempt: number
  readonly timeout: Duration.Duration
}

/**
 * The call took longer than its deadline.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadlineExceeded extends Common {
  readonly _tag: "DeadlineExceeded"
  readonly deadline: Duration.Duration
  /** Attempts begun. */
  readonly attempts: number
}

/**
 * A circuit breaker changed its state with this call.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitChanged extends Common {
  readonly _tag: "CircuitChanged"
  /** Of the operations, where the breaker keeps a circuit for each. */
  readonly key: string | undefined
  readonly from: "closed" | "open" | "half-open"
  readonly to: "closed" | "open" | "half-open"
}

/**
 * A call was refused because as many run and wait as may.
 *
 * @category models
 * @since 0.1.0
 */
export interface BulkheadRefused extends Common {
  readonly _tag: "BulkheadRefused"
}

/**
 * An attempt was broken on purpose.
 *
 * @category models
 * @since 0.1.0
 */
export interface FaultInjected extends Common {
  readonly _tag: "FaultInjected"
  readonly fault: "latency" | "error" | "hang"
}

/**
 * A call was refused because as many run as the adaptive limit allows, and it could not wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface LimitRefused extends Common {
  readonly _tag: "LimitRefused"
}

/**
 * An adaptive limit has become another one, at the end of this call.
 *
 * @category models
 * @since 0.1.0
 */
export interface LimitChanged extends Common {
  readonly _tag: "LimitChanged"
  readonly from: number
  readonly to: number
}

/**
 * A throttle held a call back.
 *
 * @category models
 * @since 0.1.0
 */
export interface Throttled extends Common {
  readonly _tag: "Throttled"
  /** Share of the calls that is held back. */
  readonly share: number
}

/**
 * A rate limit refused a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimited extends Common {
  readonly _tag: "RateLimited"
  /** When there is room. */
  readonly retryAfter: Duration.Duration
}

/**
 * What was broken has been cleared away, or was to be.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recovered extends Common {
  readonly _tag: "Recovered"
  readonly took: Duration.Duration
  /** Why it was not, where it was not. */
  readonly failure: unknown
}

/**
 * What a policy did to a call.
 *
 * @category models
 * @since 0.1.0
 */
export type PolicyEvent =
  | RetryScheduled
  | RetrySkipped
  | RetriesExhausted
  | Hedged
  | HedgeWon
  | HedgeSkipped
  | AttemptTimedOut
  | DeadlineExceeded
  | CircuitChanged
  | BulkheadRefused
  | LimitRefused
  | LimitChanged
  | Throttled
  | RateLimited
  | FaultInjected
  | Recovered
