/**
 * How the end of an HTTP request counts for policies.
 *
 * A response counts by its status: 429 and 503 are `Overload`, with what `retry-after` says; 408 and the other 5xx are
 * `Failure`; every other answer, a 404 as well, shows that the server is well. What is no response counts as the error
 * itself says.
 *
 * @since 0.1.0
 */
import * as Outcome from "@breakwater/core/Outcome"
import * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import { isHttpClientError } from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import * as HttpError from "./HttpError.ts"

/** A server that is ill must not close a circuit for a day. A choice of ours; nobody has published one. */
const CAP = Duration.minutes(1)

type Header = string | ReadonlyArray<string> | undefined

const first = (header: Header): string | undefined => (typeof header === "string" ? header : header?.[0])?.trim()

/**
 * Reads the header `retry-after`: seconds, or a date, which is compared with the server's own header `date` where it
 * sent one, so that clocks that differ do no harm. At most a minute; none where it says nothing that can be read.
 *
 * `now` is epoch milliseconds.
 *
 * @since 0.1.0
 * @category conversions
 */
export const retryAfter = (
  headers: { readonly [name: string]: Header },
  now: number | undefined
): Duration.Duration | undefined => {
  const text = first(headers["retry-after"])
  if (text === undefined || text === "") return undefined
  if (/^\d+$/.test(text)) return Duration.min(Duration.seconds(Number(text)), CAP)
  const at = Date.parse(text)
  const date = Date.parse(first(headers["date"]) ?? "")
  const since = Number.isNaN(date) ? now : date
  if (Number.isNaN(at) || since === undefined) return undefined
  return Duration.min(Duration.millis(Math.max(0, at - since)), CAP)
}

const isResponse = (u: unknown): u is HttpClientResponse.HttpClientResponse =>
  Predicate.hasProperty(u, HttpClientResponse.TypeId)

const fromResponse = (response: HttpClientResponse.HttpClientResponse): Outcome.Outcome =>
  HttpError.outcomeOfStatus(response.status, retryAfter(response.headers, undefined))

/**
 * The outcome of one attempt. What is neither a response nor an `HttpClientError` counts as `Outcome.fromExit` says.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromExit: Outcome.Classifier = (exit: Exit.Exit<unknown, unknown>) => {
  if (exit._tag === "Success") return isResponse(exit.value) ? fromResponse(exit.value) : Outcome.success
  if (exit.cause.reasons.some((reason) => reason._tag === "Die")) return Outcome.fromExit(exit)
  for (const reason of exit.cause.reasons) {
    if (reason._tag !== "Fail" || !isHttpClientError(reason.error)) continue
    const { cause, reason: why, response } = reason.error
    if (Outcome.isCarrier(cause)) return cause.outcome
    if (why._tag === "StatusCodeError" && response !== undefined) return fromResponse(response)
    // The answer is there; that the program cannot read it is no fault of the connection.
    if (response !== undefined) return Outcome.success
    return why._tag === "TransportError" ? Outcome.failure("unknown") : Outcome.ignored("no")
  }
  return Outcome.fromExit(exit)
}

/**
 * Whether an error says that a connection which was kept had broken, and that the others which are kept to its origin
 * probably have. One that breaks in its first use says nothing of those.
 *
 * @since 0.1.0
 * @category guards
 */
export const isBroken = (error: unknown): boolean => {
  if (!HttpError.isHttpError(error)) return false
  const { reason } = error
  return reason._tag === "ConnectionLost" && reason.reused && reason.during === "request"
}
