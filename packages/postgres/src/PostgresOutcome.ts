/**
 * How Postgres' errors count for policies, and whether a statement that failed can have taken effect.
 *
 * What the server enforces, such as constraints, permissions, syntax, conflicts of transactions, shows that it is well
 * and counts as `Success`. A lack of resources (class 53) is `Overload`. Statements it cut short (57), errors of its
 * system (58), its own bugs (XX), and lost connections (08) are `Failure`.
 *
 * @since 0.1.0
 */
import * as Outcome from "@breakwater/core/Outcome"
import type * as Exit from "effect/Exit"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { serverFields } from "./internal/sqlError.ts"
import { isPostgresError } from "./PostgresError.ts"

const FAILURES = new Set(["08", "57", "58", "XX"])

/** A replica, after a failover: nothing can be written there. */
const READ_ONLY = "25006"

const fromCode = (code: string): Outcome.Outcome => {
  const kind = code.slice(0, 2)
  if (kind === "53") return Outcome.overload("yes")
  return FAILURES.has(kind) || code === READ_ONLY ? Outcome.failure("yes") : Outcome.success
}

const fromSqlError = (error: SqlError): Outcome.Outcome => {
  if (Outcome.isCarrier(error.reason.cause)) return error.reason.cause.outcome
  const fields = serverFields(error)
  return fields === undefined ? Outcome.failure("unknown") : fromCode(fields.code)
}

/**
 * The outcome of one attempt. What is no `SqlError` counts as `Outcome.fromExit` says.
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
    if (reason._tag === "Fail" && isSqlError(reason.error)) return fromSqlError(reason.error)
  }
  return Outcome.fromExit(exit)
}

/**
 * Whether an error says that its session broke, and that the others of the pool probably are: the connection went away, or
 * the server ended it. A timeout does not say so: a server that is overloaded must not be dialled anew by everybody.
 *
 * The pool is cleared upon it, as SQLAlchemy's is upon a disconnect and MongoDB's upon an error of the network.
 *
 * @since 0.1.0
 * @category guards
 */
export const isBroken = (error: unknown): boolean =>
  isPostgresError(error)
    ? error.reason._tag === "ConnectionLost"
    : isSqlError(error) && FATAL.has(serverFields(error)?.severity ?? "")

const FATAL = new Set(["FATAL", "PANIC"])
