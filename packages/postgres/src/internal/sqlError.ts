/**
 * How errors become `SqlError`s: the caller sees the errors of Effect SQL, with ours as their causes.
 *
 * @internal
 */
import type { PolicyError } from "@breakwater/core/PolicyError"
import { isPolicyError } from "@breakwater/core/PolicyError"
import type { PoolError } from "@breakwater/core/PoolError"
import { isPoolError } from "@breakwater/core/PoolError"
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import {
  AuthenticationError,
  ConnectionError,
  SqlError,
  StatementTimeoutError,
  UnknownError
} from "effect/sql/SqlError"
import type { PostgresError } from "../PostgresError.ts"
import { isPostgresError } from "../PostgresError.ts"

/** What goes wrong inside. */
export type Failure = SqlError | PostgresError | PoolError | PolicyError

export interface ServerFields {
  readonly code: string
  readonly severity: string
}

/** The server's own words, where it answered. Errors of sockets have a `code` too, but no severity. */
export const serverFields = (error: SqlError): ServerFields | undefined => {
  const { cause } = error.reason
  if (!Predicate.hasProperty(cause, "severity") || !Predicate.hasProperty(cause, "code")) return undefined
  const { code, severity } = cause
  return typeof code === "string" && typeof severity === "string" ? { code, severity } : undefined
}

/** sql-pg says only that it failed to connect; why, is what the caller of a pool needs to read. */
export const dialError = (error: SqlError): SqlError => {
  const { reason } = error
  const { cause } = reason
  const said = Predicate.hasProperty(cause, "message") && typeof cause.message === "string" ? cause.message : ""
  const code = Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : ""
  const why = said.includes(code) ? said : `${said} (${code})`.trim()
  const before = reason.message ?? ""
  const message = why === "" || before.includes(why) ? before : `${before}: ${why}`
  const Reason = reason._tag === "AuthenticationError" ? AuthenticationError : ConnectionError
  return new SqlError({ reason: new Reason({ cause, message, operation: "connect" }) })
}

const REASONS = { ConnectionError, StatementTimeoutError, UnknownError }

/** Pools and breakers tell thousands of callers with one error: they share the `SqlError` around it, too. */
const shared = new WeakMap<PoolError | PolicyError, SqlError>()

const sharing = (error: PoolError | PolicyError, make: () => SqlError): SqlError => {
  const known = shared.get(error)
  if (known !== undefined) return known
  const made = make()
  shared.set(error, made)
  return made
}

const wrap = (
  reason: keyof typeof REASONS,
  cause: Exclude<Failure, SqlError>,
  operation: string,
  message = cause.message
): SqlError => new SqlError({ reason: new REASONS[reason]({ cause, message, operation }) })

const fromPool = (error: PoolError): SqlError => {
  const { _tag } = error.reason
  if (_tag === "Unavailable") return sharing(error, () => wrap("ConnectionError", error, "acquire"))
  const transient = _tag !== "Closed" && _tag !== "Revoked" && _tag !== "NestedAcquire"
  return wrap(transient ? "ConnectionError" : "UnknownError", error, "acquire")
}

const fromPolicy = (error: PolicyError, idempotent: boolean): SqlError => {
  const { reason } = error
  switch (reason._tag) {
    case "AttemptTimeout": {
      if (!idempotent) return wrap("UnknownError", error, "execute")
      const limit = Duration.format(reason.timeout)
      const message = `"${reason.operation}" took longer than its timeout of ${limit}. It may be repeated.`
      return wrap("StatementTimeoutError", error, "execute", message)
    }
    case "DeadlineExceeded":
      return wrap("UnknownError", error, "execute")
    case "CircuitOpen":
      return sharing(error, () => wrap("ConnectionError", error, "acquire"))
    case "BulkheadFull":
    case "LimitExceeded":
    case "Throttled":
    case "RateLimited":
      return wrap("ConnectionError", error, "acquire")
    case "FaultInjected":
      return wrap(idempotent ? "ConnectionError" : "UnknownError", error, "execute")
  }
}

const fromPostgres = (error: PostgresError, idempotent: boolean): SqlError => {
  const { reason } = error
  const retryable = reason._tag === "ConnectionLost" && (reason.sent === "no" || idempotent)
  return wrap(retryable ? "ConnectionError" : "UnknownError", error, "execute")
}

/**
 * `idempotent`: whether repeating the operation is safe, also because the server has confirmed that it stopped it. That
 * is what makes a lost connection and a timeout retryable.
 */
export const toSqlError = (error: Failure, idempotent: boolean): SqlError => {
  if (isPoolError(error)) return fromPool(error)
  if (isPolicyError(error)) return fromPolicy(error, idempotent)
  return isPostgresError(error) ? fromPostgres(error, idempotent) : error
}
