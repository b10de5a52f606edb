/**
 * What can go wrong with a session and with a transaction, beyond what the server answers. These errors are the causes
 * of the `SqlError`s that the client fails with; `fromSqlError` gives them back.
 *
 * @since 0.1.0
 */
import * as Outcome from "@breakwater/core/Outcome"
import * as Data from "effect/Data"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { SqlError } from "effect/sql/SqlError"

const TypeId = "~@breakwater/postgres/PostgresError"

/**
 * The connection went away. `sent` says whether the statement can have reached the server: `"no"` where the connection
 * was gone before, or where the server said goodbye before it had parsed anything.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionLost {
  readonly _tag: "ConnectionLost"
  readonly pool: string
  readonly sent: "no" | "unknown"
  readonly cause: unknown
}

/**
 * COMMIT was sent and no answer came: the transaction is committed, or it is not. Only the data can tell, by an
 * idempotency key for instance. Never repeated.
 *
 * @since 0.1.0
 * @category models
 */
export interface CommitUnknown {
  readonly _tag: "CommitUnknown"
  readonly pool: string
  readonly cause: unknown
}

/**
 * The server rolled the transaction back on COMMIT: one of its statements had failed, and the program went on. Nothing
 * of it was committed.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransactionAborted {
  readonly _tag: "TransactionAborted"
  readonly pool: string
}

/**
 * The transaction's session broke or was cancelled by an earlier statement, and this one was not sent. Nothing of the
 * transaction was committed.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransactionLost {
  readonly _tag: "TransactionLost"
  readonly pool: string
  readonly cause: unknown
}

/**
 * Why a session or a transaction failed.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason = ConnectionLost | CommitUnknown | TransactionAborted | TransactionLost

/**
 * The one error of this package. Match it by reason.
 *
 * @since 0.1.0
 * @category errors
 */
export class PostgresError extends Data.TaggedError("PostgresError")<{
  readonly reason: Reason
  readonly cause?: unknown
}> implements Outcome.Carrier {
  /**
   * Marks the value for `isPostgresError`.
   *
   * @since 0.1.0
   */
  readonly [TypeId] = TypeId

  constructor(reason: Reason) {
    super("cause" in reason && reason.cause !== undefined ? { reason, cause: reason.cause } : { reason })
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
   * How it counts for policies: of a transaction that was lost before COMMIT nothing took effect, so that all of it may
   * be repeated.
   *
   * @since 0.1.0
   */
  get outcome(): Outcome.Outcome {
    switch (this.reason._tag) {
      case "ConnectionLost":
        return Outcome.failure(this.reason.sent)
      case "TransactionLost":
        return Outcome.failure("no")
      case "CommitUnknown":
        return Outcome.failure("unknown")
      case "TransactionAborted":
        return Outcome.success
    }
  }
}

/**
 * Whether a value is a `PostgresError`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isPostgresError = (u: unknown): u is PostgresError => Predicate.hasProperty(u, TypeId)

/**
 * The error inside a `SqlError`, the very same object, where the session or the transaction is what failed.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromSqlError = (error: SqlError): Option.Option<PostgresError> =>
  isPostgresError(error.reason.cause) ? Option.some(error.reason.cause) : Option.none()

const messageOf = (reason: Reason): string => {
  switch (reason._tag) {
    case "ConnectionLost":
      return reason.sent === "no"
        ? `Postgres "${reason.pool}" lost the connection before the statement was sent. Repeating it is safe.`
        : `Postgres "${reason.pool}" lost the connection under the statement. ` +
          "Find out whether it took effect before repeating it."
    case "CommitUnknown":
      return `Postgres "${reason.pool}" did not answer COMMIT. ` +
        "Find out by an idempotency key whether the transaction was committed before repeating it."
    case "TransactionAborted":
      return `Postgres "${reason.pool}" rolled the transaction back on COMMIT: a statement in it had failed. ` +
        "Let that failure end the transaction, or put the statement into a transaction of its own."
    case "TransactionLost":
      return `Postgres "${reason.pool}" lost the session of this transaction in an earlier statement. ` +
        "Nothing of it was committed: repeat the whole transaction."
  }
}
