/**
 * How the exits of work at MongoDB count for policies.
 *
 * Lost connections, a missing primary, time limits and unconfirmed writes are `Failure`; an overloaded server is
 * `Overload`; what the server enforces, such as keys, rights and transactions in conflict, shows that it is well and
 * counts as `Success`; what failed in the program itself is `Ignored`.
 *
 * @since 0.1.0
 */
import * as Outcome from "@breakwater/core/Outcome"
import { isMongoError } from "./MongoError.ts"

/**
 * The outcome of one attempt. What is no `MongoError` counts as `Outcome.fromExit` says.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromExit: Outcome.Classifier = (exit) => {
  if (exit._tag === "Success") return Outcome.success
  const [first] = exit.cause.reasons
  const only = exit.cause.reasons.length === 1
  return only && first?._tag === "Fail" && isMongoError(first.error) ? first.error.outcome : Outcome.fromExit(exit)
}

/**
 * Whether an error says that a connection broke, upon which the driver clears its pool.
 *
 * @since 0.1.0
 * @category guards
 */
export const isBroken = (error: unknown): boolean => isMongoError(error) && error.reason._tag === "ConnectionLost"
