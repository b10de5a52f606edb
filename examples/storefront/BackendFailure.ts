/** The failures of all backends under one name and in a few kinds. */
import { PolicyError, PoolError } from "@breakwater/core"
import { HttpError } from "@breakwater/http"
import type { MongoError } from "@breakwater/mongodb"
import { PostgresError } from "@breakwater/postgres"
import { Duration, Option, type Schema } from "effect"
import type { HttpClientError } from "effect/http"
import type { SqlError } from "effect/sql/SqlError"

/** Whatever a call to a backend fails with; a `SchemaError` where its answer is not what was agreed on. */
export type BackendFailure =
  | SqlError
  | HttpClientError.HttpClientError
  | MongoError.MongoError
  | PoolError.PoolError
  | PolicyError.PolicyError
  | Schema.SchemaError

export type Kind = "Busy" | "Unavailable" | "TimedOut" | "Internal"

type Known =
  | PoolError.PoolError
  | PolicyError.PolicyError
  | PostgresError.PostgresError
  | HttpError.HttpError
  | MongoError.MongoError

/** Whatever Breakwater itself has to say about it. */
const known = (error: BackendFailure): Option.Option<Known> => {
  switch (error._tag) {
    case "SqlError":
      return Option.firstSomeOf<Known>([
        PoolError.fromSqlError(error),
        PolicyError.fromSqlError(error),
        PostgresError.fromSqlError(error)
      ])
    case "HttpClientError":
      return HttpError.fromHttpClientError(error)
    case "SchemaError":
      return Option.none()
    default:
      return Option.some(error)
  }
}

const kindOfKnown = ({ reason }: Known): Kind => {
  switch (reason._tag) {
    case "AcquireTimeout":
      return reason.phase === "queue" ? "Busy" : "Unavailable"
    case "QueueFull":
    case "BulkheadFull":
    case "LimitExceeded":
    case "Throttled":
    case "RateLimited":
      return "Busy"
    case "AttemptTimeout":
    case "DeadlineExceeded":
    case "HeadersTimeout":
    case "BodyTimeout":
    case "TotalTimeout":
    case "TimeLimit":
      return "TimedOut"
    case "Command":
    case "DuplicateKey":
      return "Internal"
    default:
      return "Unavailable"
  }
}

/** What the server, or the driver, said itself. */
const kindOfAnswer = (error: BackendFailure): Kind => {
  if (error._tag === "SchemaError") return "Internal"
  switch (error.reason._tag) {
    case "StatementTimeoutError":
      return "TimedOut"
    case "ConnectionError":
    case "StatusCodeError":
      return "Unavailable"
    case "DeadlockError":
    case "SerializationError":
    case "LockTimeoutError":
      return "Busy"
    default:
      return "Internal"
  }
}

export const kindOf = (error: BackendFailure): Kind =>
  Option.match(known(error), { onNone: () => kindOfAnswer(error), onSome: kindOfKnown })

/** What it is called where it is counted: `PoolError.AcquireTimeout`. */
export const because = (error: BackendFailure): string => {
  const named = Option.getOrElse(known(error), () => error)
  return named._tag === "SchemaError" ? named._tag : `${named._tag}.${named.reason._tag}`
}

const RETRY_AFTER_MILLIS = 1000

/** An open circuit knows when it will be tried again. */
export const retryAfterMillis = (error: BackendFailure): number =>
  Option.match(known(error), {
    onNone: () => RETRY_AFTER_MILLIS,
    onSome: ({ reason }) =>
      reason._tag === "CircuitOpen" ? Math.ceil(Duration.toMillis(reason.retryAfter)) : RETRY_AFTER_MILLIS
  })
