/**
 * How Redis' errors count for policies, and whether a command that failed can have taken effect.
 *
 * What the server enforces (`WRONGTYPE`, `NOSCRIPT`, `NOPERM`, `EXECABORT`, a plain `ERR`, also `MOVED` and `ASK`, which
 * say that the client is not one of a cluster) shows that it is well and counts as `Success`. A server that executes
 * nothing at the moment (`LOADING`, `READONLY`, `MASTERDOWN`, `CLUSTERDOWN`, `TRYAGAIN`, `MISCONF`, `NOREPLICAS`) and lost
 * connections are `Failure`. A lack of memory, time or clients (`OOM`, `BUSY`, `max number of clients`) is `Overload`.
 *
 * @since 0.1.0
 */
import * as Outcome from "@breakwater/core/Outcome"
import type * as Exit from "effect/Exit"
import { errorText, isAmongOthers, isLostText } from "./internal/driverError.ts"
import { codeOf, outcomeOfReply } from "./internal/replies.ts"
import { isRedisError } from "./RedisError.ts"

const fromDriver = (error: unknown): Outcome.Outcome | undefined => {
  if (Outcome.isCarrier(error)) return error.outcome
  const text = errorText(error)
  if (text !== undefined) return outcomeOfReply(codeOf(text), text)
  return isLostText(error) ? Outcome.failure("unknown") : undefined
}

/** Of a function of which a part was executed. */
const whole = (error: unknown, outcome: Outcome.Outcome): Outcome.Outcome =>
  outcome._tag !== "Success" && outcome.sent === "no" && isAmongOthers(error)
    ? { ...outcome, sent: "unknown" }
    : outcome

/**
 * The outcome of one attempt, whose error may be ours or ioredis' own. What is neither says nothing about the server
 * and is `Ignored`, defects aside.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromExit: Outcome.Classifier = (exit: Exit.Exit<unknown, unknown>) => {
  if (exit._tag === "Success") return Outcome.success
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Die") return Outcome.fromExit(exit)
  }
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return whole(reason.error, fromDriver(reason.error) ?? Outcome.ignored("unknown"))
  }
  return Outcome.fromExit(exit)
}

/**
 * Whether an error says that its connection broke, and that the others of the pool probably are. A timeout does not say
 * so: a server that is overloaded must not be dialled anew by everybody.
 *
 * The pool is cleared upon it, as SQLAlchemy's is upon a disconnect and MongoDB's upon an error of the network.
 *
 * @since 0.1.0
 * @category guards
 */
export const isBroken = (error: unknown): boolean =>
  isRedisError(error) ? error.reason._tag === "ConnectionLost" : isLostText(error)
