/**
 * The one error of the policies. Its `reason` says which policy ended the call, and its type parameter which reasons
 * are possible, so that `Effect.catchReason("PolicyError", "DeadlineExceeded", …)` is exact.
 *
 * What the work itself fails with passes through policies unchanged; this error is only for what a policy decided.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { SqlError } from "effect/sql/SqlError"
import * as Stackless from "../internal/stackless.ts"
import * as Outcome from "./Outcome.ts"

const TypeId = "~@breakwater/core/PolicyError"

/**
 * The whole call, with its waits and retries, took longer than its deadline.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadlineExceeded {
  readonly _tag: "DeadlineExceeded"
  /** Name of the operation. */
  readonly operation: string
  /** The time that the call was given: that of its policy, or what an outer deadline had left of it. */
  readonly deadline: Duration.Duration
  readonly elapsed: Duration.Duration
  /** Attempts begun; 0 when the deadline had passed before the first. */
  readonly attempts: number
  /** Whether any attempt may have reached the backend. */
  readonly sent: Outcome.Sent
  /** What the last attempt that ended failed with. */
  readonly cause?: unknown
}

/**
 * One attempt took longer than its timeout, counted from the start of its work: time spent in queues is not in it.
 *
 * @category models
 * @since 0.1.0
 */
export interface AttemptTimeout {
  readonly _tag: "AttemptTimeout"
  /** Name of the operation. */
  readonly operation: string
  readonly timeout: Duration.Duration
  /** Which attempt it was; the first is 1. */
  readonly attempt: number
  readonly sent: "unknown"
}

/**
 * The circuit breaker lets nothing through: too many of the last attempts failed or were slow, or somebody forced it
 * open. One instance is shared by all callers
 * until its state changes.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitOpen {
  readonly _tag: "CircuitOpen"
  /** Name of the policy. */
  readonly policy: string
  /** Of the operations, where the breaker keeps a circuit for each. */
  readonly key?: string | undefined
  /** For how long it has been open. */
  readonly openFor: Duration.Duration
  /** When it lets a call through again; infinite when it is forced open. */
  readonly retryAfter: Duration.Duration
  /** What the last attempt that counted as a failure failed with. */
  readonly cause: unknown
}

/**
 * As many calls run and wait as may.
 *
 * @category models
 * @since 0.1.0
 */
export interface BulkheadFull {
  readonly _tag: "BulkheadFull"
  /** Name of the operation. */
  readonly operation: string
  /** Whose bulkhead it is, where every key has one. */
  readonly key: string | undefined
  readonly permits: number
  readonly waiting: number
}

/**
 * An attempt was broken on purpose, by `Chaos`.
 *
 * @category models
 * @since 0.1.0
 */
export interface FaultInjected {
  readonly _tag: "FaultInjected"
  /** Name of the operation. */
  readonly operation: string
  readonly fault: "latency" | "error" | "hang"
  /** It stands for a fault of the backend, which leaves everybody in doubt. */
  readonly sent: "unknown"
}

/**
 * As many calls run as the adaptive limit allows now, and those that wait would do so for too long.
 *
 * @category models
 * @since 0.1.0
 */
export interface LimitExceeded {
  readonly _tag: "LimitExceeded"
  /** Name of the operation. */
  readonly operation: string
  /** Calls at once, at that moment. */
  readonly limit: number
  readonly waiting: number
}

/**
 * The call was held back at random, since the backend accepts too few of the calls sent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Throttled {
  readonly _tag: "Throttled"
  /** Name of the operation. */
  readonly operation: string
  /** Of the operations, where the throttle looks at each by itself. */
  readonly key?: string | undefined
  /** Share of the calls that is held back. */
  readonly share: number
  /** Calls in the window, and how many of them the backend accepted. */
  readonly requests: number
  readonly accepts: number
}

/**
 * There is no room for the call in its rate limit within the time that it may wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimited {
  readonly _tag: "RateLimited"
  /** Name of the operation. */
  readonly operation: string
  /** Whose limit it is, where every key has one. */
  readonly key: string | undefined
  /** When there is room. */
  readonly retryAfter: Duration.Duration
}

/**
 * Why a policy ended a call.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason =
  | DeadlineExceeded
  | AttemptTimeout
  | CircuitOpen
  | BulkheadFull
  | LimitExceeded
  | Throttled
  | RateLimited
  | FaultInjected

const outcomeOf = (reason: Reason): Outcome.Outcome => {
  switch (reason._tag) {
    case "DeadlineExceeded":
      return Outcome.ignored(reason.sent)
    case "AttemptTimeout":
    case "FaultInjected":
      return Outcome.failure(reason.sent)
    case "CircuitOpen":
    case "BulkheadFull":
    case "LimitExceeded":
    case "Throttled":
    case "RateLimited":
      return Outcome.ignored("no")
  }
}

const wholeMillis = (duration: Duration.Duration): string =>
  Duration.format(Duration.millis(Math.ceil(Duration.toMillis(duration))))

const plural = (count: number, noun: string): string => count === 1 ? `1 ${noun}` : `${count} ${noun}s`

const circuitMessage = ({ key, policy, retryAfter }: CircuitOpen): string => {
  const which = key === undefined ? `The circuit of "${policy}"` : `The circuit of "${policy}" for "${key}"`
  return Duration.isFinite(retryAfter)
    ? `${which} is open: too many of the last attempts failed or were slow. ` +
      `Try again after ${wholeMillis(retryAfter)}, or do without.`
    : `${which} is forced open: it lets nothing through until somebody closes it. Do without.`
}

const messageOf = (reason: Reason): string => {
  switch (reason._tag) {
    case "DeadlineExceeded":
      return `"${reason.operation}" did not end within its deadline of ${Duration.format(reason.deadline)} ` +
        `(${plural(reason.attempts, "attempt")}). ` +
        (reason.attempts === 0
          ? "The caller's own deadline had passed: give it more time, or do less before this call."
          : "Find what is slow, in the cause or in the pool's wait times, or raise the deadline.")
    case "AttemptTimeout":
      return `Attempt ${reason.attempt} of "${reason.operation}" took longer than its timeout of ` +
        Duration.format(reason.timeout) +
        ". It may have taken effect: repeat it only if that is safe, or raise the timeout."
    case "CircuitOpen":
      return circuitMessage(reason)
    case "BulkheadFull":
      return `"${reason.operation}" was refused: ${plural(reason.permits, "call")} run and ${reason.waiting} wait. ` +
        "Send less at once, or allow more."
    case "LimitExceeded":
      return `"${reason.operation}" was refused: the backend bears ${plural(reason.limit, "call")} at once now, ` +
        `and ${reason.waiting} wait. Send less, or do without.`
    case "Throttled":
      return `"${reason.operation}" was held back: the backend accepted ${reason.accepts} of the last ` +
        `${plural(reason.requests, "call")}. Send less, or do without.`
    case "RateLimited":
      return `"${reason.operation}" was refused by its rate limit. Try again after ${wholeMillis(reason.retryAfter)}.`
    case "FaultInjected":
      return `"${reason.operation}" was broken on purpose (${reason.fault}): the policy it goes through has a chaos in it.`
  }
}

/**
 * A policy ended the call. `R` holds the possible reasons.
 *
 * @category errors
 * @since 0.1.0
 */
export class PolicyError<out R extends Reason = Reason> extends Data.TaggedError("PolicyError")<{
  readonly reason: Reason
  readonly cause?: unknown
}> implements Outcome.Carrier {
  declare readonly reason: R

  /**
   * Marks the value for `isPolicyError`.
   *
   * @since 0.1.0
   */
  readonly [TypeId] = TypeId

  constructor(reason: R) {
    const limit = Stackless.begin()
    super("cause" in reason ? { reason, cause: reason.cause } : { reason })
    Stackless.end(limit)
  }

  /**
   * What happened, and what to do about it.
   *
   * @since 0.1.0
   */
  override get message(): string {
    return messageOf(this.reason)
  }

  /**
   * How it counts: a timeout is the backend's (`Failure`); a deadline is the caller's, and a refusal is our own
   * (`Ignored`).
   *
   * @since 0.1.0
   */
  get outcome(): Outcome.Outcome {
    return outcomeOf(this.reason)
  }
}

/**
 * Whether a value is a `PolicyError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isPolicyError = (u: unknown): u is PolicyError => Predicate.hasProperty(u, TypeId)

/**
 * The policy's error inside a `SqlError`, the very same object, where a policy is what failed the call.
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromSqlError = (error: SqlError): Option.Option<PolicyError> =>
  isPolicyError(error.reason.cause) ? Option.some(error.reason.cause) : Option.none()
