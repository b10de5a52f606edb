/**
 * What can go wrong between a request and the end of its response, beyond what the server answers. These errors are the
 * causes of the `HttpClientError`s that the client fails with; `fromHttpClientError` gives them back.
 *
 * They name the origin, never the path, the query, a header or a body: any of those may hold a secret.
 *
 * @since 0.1.0
 */
import * as Outcome from "@breakwater/core/Outcome"
import { isPolicyError, type PolicyError } from "@breakwater/core/PolicyError"
import { isPoolError, type PoolError } from "@breakwater/core/PoolError"
import * as Stackless from "@breakwater/core/Stackless"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

const TypeId = "~@breakwater/http/HttpError"

/**
 * No connection could be opened: refused, unreachable, no such host, a certificate that is not trusted, or no answer
 * within `pool.dial.timeout`. Nothing was sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectFailed {
  readonly _tag: "ConnectFailed"
  readonly client: string
  readonly origin: string
  readonly cause: unknown
}

/**
 * The connection went away before the response was complete. `sent` says whether the request can have reached the
 * server; `during` whether its response had begun.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionLost {
  readonly _tag: "ConnectionLost"
  readonly client: string
  readonly origin: string
  readonly during: "request" | "body"
  readonly sent: Outcome.Sent
  /** The connection was kept from an earlier request. */
  readonly reused: boolean
  readonly cause: unknown
}

/**
 * The server took the request and no headers came within `time.headers`.
 *
 * @since 0.1.0
 * @category models
 */
export interface HeadersTimeout {
  readonly _tag: "HeadersTimeout"
  readonly client: string
  readonly origin: string
  readonly timeout: Duration.Duration
}

/**
 * The body stood still for `time.body`.
 *
 * @since 0.1.0
 * @category models
 */
export interface BodyTimeout {
  readonly _tag: "BodyTimeout"
  readonly client: string
  readonly origin: string
  readonly timeout: Duration.Duration
}

/**
 * The body was not complete when the deadline of the whole call passed, or nobody had read it by then.
 *
 * @since 0.1.0
 * @category models
 */
export interface TotalTimeout {
  readonly _tag: "TotalTimeout"
  readonly client: string
  readonly origin: string
  readonly deadline: Duration.Duration
}

/**
 * The server answered with a status that says it is not well: 408, 429 and 5xx. The program gets the response itself;
 * this error is what policies count, and the cause of a `CircuitOpen`.
 *
 * @since 0.1.0
 * @category models
 */
export interface BadStatus {
  readonly _tag: "BadStatus"
  readonly client: string
  readonly origin: string
  readonly status: number
  /** From the header `retry-after`, at most a minute. */
  readonly retryAfter: Duration.Duration | undefined
}

/**
 * More redirects than `redirects` allows.
 *
 * @since 0.1.0
 * @category models
 */
export interface TooManyRedirects {
  readonly _tag: "TooManyRedirects"
  readonly client: string
  readonly origin: string
  readonly max: number
}

/**
 * The body was larger than `decompress.max` once decompressed.
 *
 * @since 0.1.0
 * @category models
 */
export interface BodyTooLarge {
  readonly _tag: "BodyTooLarge"
  readonly client: string
  readonly origin: string
  /** Bytes. */
  readonly max: number
}

/**
 * The response is not valid HTTP, or its body is not what its `content-encoding` says.
 *
 * @since 0.1.0
 * @category models
 */
export interface InvalidResponse {
  readonly _tag: "InvalidResponse"
  readonly client: string
  readonly origin: string
  readonly cause: unknown
}

/**
 * The request cannot be sent as it is: a header, a method or a body that HTTP does not allow, or an upgrade, which this
 * client does not do.
 *
 * @since 0.1.0
 * @category models
 */
export interface InvalidRequest {
  readonly _tag: "InvalidRequest"
  readonly client: string
  readonly origin: string
  readonly cause: unknown
}

/**
 * `pool.size.origins` origins are in use, all of them by requests under way.
 *
 * @since 0.1.0
 * @category models
 */
export interface TooManyOrigins {
  readonly _tag: "TooManyOrigins"
  readonly client: string
  readonly origin: string
  readonly max: number
}

/**
 * Whoever read the response stopped: its scope ended, or it was interrupted.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cancelled {
  readonly _tag: "Cancelled"
  readonly client: string
  readonly origin: string
}

/**
 * Why a request failed.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason =
  | ConnectFailed
  | ConnectionLost
  | HeadersTimeout
  | BodyTimeout
  | TotalTimeout
  | BadStatus
  | TooManyRedirects
  | BodyTooLarge
  | InvalidResponse
  | InvalidRequest
  | TooManyOrigins
  | Cancelled

/**
 * How a status counts: 429 and 503 ask for less traffic, 408 and the other 5xx are failures, everything else is an
 * answer.
 *
 * @since 0.1.0
 * @category conversions
 */
export const outcomeOfStatus = (status: number, retryAfter?: Duration.Duration): Outcome.Outcome => {
  if (status === 429 || status === 503) return Outcome.overload("yes", retryAfter)
  return status >= 500 || status === 408 ? Outcome.failure("yes") : Outcome.success
}

const outcomeOf = (reason: Reason): Outcome.Outcome => {
  switch (reason._tag) {
    case "ConnectFailed":
      return Outcome.failure("no")
    case "ConnectionLost":
      return Outcome.failure(reason.sent)
    case "HeadersTimeout":
    case "BodyTimeout":
      return Outcome.failure("unknown")
    case "InvalidResponse":
      return Outcome.failure("yes")
    case "BadStatus":
      return outcomeOfStatus(reason.status, reason.retryAfter)
    case "TooManyRedirects":
    case "BodyTooLarge":
      return Outcome.success
    case "TotalTimeout":
    case "Cancelled":
      return Outcome.ignored("unknown")
    case "InvalidRequest":
    case "TooManyOrigins":
      return Outcome.ignored("no")
  }
}

const format = (duration: Duration.Duration): string => Duration.format(duration)

/** The message of an error of the network, which names addresses only; anything else is named by its kind. */
const describe = (cause: unknown): string => {
  if (!(cause instanceof Error)) return "an unknown error"
  const code = Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined
  return code ?? cause.name
}

const whatHappened = (reason: Reason): string => {
  switch (reason._tag) {
    case "ConnectFailed":
      return `no connection could be opened (${describe(reason.cause)}). Nothing was sent: repeating it is safe.`
    case "ConnectionLost":
      return reason.sent === "no"
        ? "the connection was lost before the request was sent. Repeating it is safe."
        : `the connection was lost during the ${reason.during} (${describe(reason.cause)}). ` +
          "Find out whether the request took effect before repeating it."
    case "HeadersTimeout":
      return `no headers came within ${format(reason.timeout)}. The request may have taken effect.`
    case "BodyTimeout":
      return `the body stood still for ${format(reason.timeout)}.`
    case "TotalTimeout":
      return `the body was not complete within the deadline of ${format(reason.deadline)}. ` +
        "Read it sooner, or raise policy.deadline."
    case "BadStatus":
      return `the server answered ${reason.status}` +
        (reason.retryAfter === undefined ? "." : ` and asks to be left alone for ${format(reason.retryAfter)}.`)
    case "TooManyRedirects":
      return `more than ${reason.max} redirects.`
    case "BodyTooLarge":
      return `the body is larger than ${reason.max} bytes once decompressed. Read it raw, or raise decompress.max.`
    case "InvalidResponse":
      return `the response is not valid (${describe(reason.cause)}).`
    case "InvalidRequest":
      return `the request cannot be sent (${describe(reason.cause)}).`
    case "TooManyOrigins":
      return `${reason.max} other origins are in use. Raise pool.size.origins.`
    case "Cancelled":
      return "the response was given up before its end."
  }
}

/**
 * The one error of this package. Match it by reason.
 *
 * @since 0.1.0
 * @category errors
 */
export class HttpError<out R extends Reason = Reason> extends Data.TaggedError("HttpError")<{
  readonly reason: Reason
  readonly cause?: unknown
}> implements Outcome.Carrier {
  declare readonly reason: R

  /**
   * Marks the value for `isHttpError`.
   *
   * @since 0.1.0
   */
  readonly [TypeId] = TypeId

  constructor(reason: R) {
    // The stack would show the parser of a socket only.
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
    const { client, origin } = this.reason
    return `HTTP "${client}", ${origin}: ${whatHappened(this.reason)}`
  }

  /**
   * How it counts for policies.
   *
   * @since 0.1.0
   */
  get outcome(): Outcome.Outcome {
    return outcomeOf(this.reason)
  }
}

/**
 * Whether a value is an `HttpError`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isHttpError = (u: unknown): u is HttpError => Predicate.hasProperty(u, TypeId)

/**
 * Everything that can be behind an `HttpClientError` of this client: its own error, that of the wait for a connection,
 * and that of a policy.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure = HttpError | PoolError | PolicyError

/**
 * The error inside an `HttpClientError`, the very same object.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromHttpClientError = (error: HttpClientError): Option.Option<Failure> => {
  const { cause } = error
  return isHttpError(cause) || isPoolError(cause) || isPolicyError(cause) ? Option.some(cause) : Option.none()
}
