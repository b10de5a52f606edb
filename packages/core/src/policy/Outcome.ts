/**
 * How an exit counts: as a success, as the backend's failure, as nobody's fault, or as the backend asking for less.
 *
 * Every policy decides by the outcome and never looks at an error itself, so a backend that classifies its errors well
 * gets retries and limits right. An outcome that is not a success also says whether the backend may have acted on the
 * request (`sent`), which is what makes a repetition safe.
 *
 * What an error means is left to the backends: they hand a classifier to their policy, or let their errors carry an
 * `outcome` property, which `fromExit` reads.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"

/**
 * Whether the request reached the backend: `"no"` when it surely did not, `"yes"` when the backend answered it, and
 * `"unknown"` when it may have.
 *
 * @category models
 * @since 0.1.0
 */
export type Sent = "no" | "yes" | "unknown"

/**
 * The call succeeded, or failed in a way that shows the backend to be well: a constraint it enforced, a row not found.
 *
 * @category models
 * @since 0.1.0
 */
export interface Success {
  readonly _tag: "Success"
}

/**
 * The backend failed: no connection, a connection lost, a time-out, an error of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure {
  readonly _tag: "Failure"
  readonly sent: Sent
  /**
   * The call was refused by what knows already that the backend cannot be reached and goes on looking for it by itself,
   * such as a pool whose dials fail. It is an outage, of which one more call says nothing new.
   */
  readonly heldOff?: true | undefined
  /** It has been held off for so long already that to come again shortly is of no use: it is not repeated. */
  readonly lasting?: true | undefined
}

/**
 * Says nothing about the backend: an interruption, a refusal on our own side, a deadline of the caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ignored {
  readonly _tag: "Ignored"
  readonly sent: Sent
}

/**
 * The backend asks for less traffic, and says with `retryAfter` when to come back, if it knows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Overload {
  readonly _tag: "Overload"
  readonly sent: Sent
  readonly retryAfter?: Duration.Duration | undefined
}

/**
 * How an exit counts.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = Success | Failure | Ignored | Overload

/**
 * An error that says itself how it counts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Carrier {
  readonly outcome: Outcome
}

/**
 * Turns the exit of one attempt into an outcome. One of a backend's own ends in `fromExit`, for what it does not know.
 *
 * @category models
 * @since 0.1.0
 */
export type Classifier = (exit: Exit.Exit<unknown, unknown>) => Outcome

/**
 * The one `Success`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const success: Outcome = { _tag: "Success" }

const bySent = (_tag: "Failure" | "Ignored"): Record<Sent, Outcome> => ({
  no: { _tag, sent: "no" },
  yes: { _tag, sent: "yes" },
  unknown: { _tag, sent: "unknown" }
})

const failures = bySent("Failure")
const ignoreds = bySent("Ignored")

/**
 * A failure of the backend; one shared instance per `sent`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failure = (sent: Sent): Outcome => failures[sent]

/**
 * A failure for which nothing was asked of the backend, since it is known to be out of reach; one shared instance.
 *
 * It is repeated as any other failure, and costs the budget nothing: once the backend is back, the repetition is the
 * first of its attempts to get there. A breaker does not count it: whoever holds callers off is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const heldOff: Outcome = { _tag: "Failure", sent: "no", heldOff: true }

/**
 * Nobody's fault; one shared instance per `sent`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ignored = (sent: Sent): Outcome => ignoreds[sent]

/**
 * The backend asks for less traffic.
 *
 * @category constructors
 * @since 0.1.0
 */
export const overload = (sent: Sent, retryAfter?: Duration.Duration): Outcome => ({
  _tag: "Overload",
  sent,
  retryAfter
})

const tags = new Set<unknown>(["Success", "Failure", "Ignored", "Overload"])
const sents = new Set<unknown>(["no", "yes", "unknown"])

/**
 * Whether a value is an outcome, judged by its shape: errors may come from another copy of this package.
 *
 * @category guards
 * @since 0.1.0
 */
export const isOutcome = (u: unknown): u is Outcome =>
  Predicate.hasProperty(u, "_tag") && tags.has(u._tag) &&
  (u._tag === "Success" || (Predicate.hasProperty(u, "sent") && sents.has(u.sent)))

/**
 * Whether an outcome tells nothing about the backend that is not known without it.
 *
 * @category guards
 * @since 0.1.0
 */
export const tellsNothing = (outcome: Outcome): boolean =>
  outcome._tag === "Ignored" || (outcome._tag === "Failure" && outcome.heldOff === true)

/**
 * Whether the attempt surely never got to the backend, which it therefore cost nothing.
 *
 * @category guards
 * @since 0.1.0
 */
export const neverAsked = (outcome: Outcome): boolean =>
  outcome._tag !== "Success" && outcome.sent === "no" && tellsNothing(outcome)

/**
 * Whether an error carries its outcome.
 *
 * @category guards
 * @since 0.1.0
 */
export const isCarrier = (u: unknown): u is Carrier => Predicate.hasProperty(u, "outcome") && isOutcome(u.outcome)

/**
 * The classification where a backend has none of its own: a success is `Success`, an interruption and nothing else is
 * `Ignored`, a typed failure that carries an outcome is that, and any other failure or defect is a `Failure` of which
 * nobody knows whether it was sent.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromExit: Classifier = (exit) => {
  if (exit._tag === "Success") return success
  let onlyInterrupts = true
  let carried: Outcome | undefined
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Interrupt") continue
    onlyInterrupts = false
    // A defect beside a typed failure is a bug, and what the failure says of itself no longer holds.
    if (reason._tag === "Die") return failures.unknown
    carried ??= isCarrier(reason.error) ? reason.error.outcome : failures.unknown
  }
  return onlyInterrupts ? ignoreds.unknown : carried ?? failures.unknown
}
