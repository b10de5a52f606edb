/**
 * Effect's `HttpClient` over the pool.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { Readable } from "node:stream"
import { FormData } from "undici/index.js"
import { type Failure, HttpError } from "../HttpError.ts"
import { ACCEPTED } from "./decode.ts"
import type { Origins } from "./origins.ts"
import type { Outgoing } from "./redirect.ts"
import { Response, withoutQuery } from "./response.ts"
import { send } from "./send.ts"
import type { Settings } from "./settings.ts"
import { takeCredentials } from "./url.ts"

/** Methods that HTTP defines as idempotent. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"])

/** By its method, or by a key that lets the server tell a repetition. */
export const isIdempotent = (method: string, hasKey: boolean): boolean => hasKey || IDEMPOTENT.has(method)

const formDataOf = (given: globalThis.FormData): FormData => {
  const form = new FormData()
  for (const [name, value] of given) form.append(name, value)
  return form
}

const bodyOf = (request: HttpClientRequest.HttpClientRequest): Outgoing["body"] => {
  const { body } = request
  switch (body._tag) {
    case "Empty":
      return () => null
    case "Uint8Array":
      return () => body.body
    case "Raw":
      // Undici refuses by itself what it cannot send.
      return () => body.body as ReturnType<Outgoing["body"]>
    case "FormData":
      return () => formDataOf(body.formData)
    case "Stream":
      return () => Readable.from(Stream.toAsyncIterable(body.stream))
  }
}

const headersOf = (settings: Settings, request: HttpClientRequest.HttpClientRequest, url: URL): Outgoing["headers"] => {
  const own = takeCredentials(url)
  const base = [settings.base, ...settings.hosts].find((one) => one?.origin === url.origin)?.authorization
  const authorization = own ?? (base === undefined ? undefined : Redacted.value(base))
  const headers: Outgoing["headers"] = {
    "user-agent": settings.userAgent,
    ...(settings.decompressMax === undefined ? undefined : { "accept-encoding": ACCEPTED }),
    ...(authorization === undefined ? undefined : { authorization }),
    ...request.headers
  }
  // Undici writes it, with the boundary of its own.
  if (request.body._tag === "FormData") delete headers["content-type"]
  return headers
}

const toClientError = (given: HttpClientRequest.HttpClientRequest, cause: Failure) => {
  const request = withoutQuery(given)
  const fields = { request, cause, description: cause.message }
  const reason = cause._tag === "HttpError" && cause.reason._tag === "InvalidRequest"
    ? new HttpClientError.EncodeError(fields)
    : new HttpClientError.TransportError(fields)
  return new HttpClientError.HttpClientError({ reason })
}

/** The scope of `HttpClient.withScope`, or the end of a response that nobody holds any more, ends the body. */
const cancelOn = (signal: AbortSignal, body: Readable): void => {
  const cancel = () => void body.destroy()
  if (signal.aborted) return cancel()
  signal.addEventListener("abort", cancel, { once: true })
  body.once("close", () => signal.removeEventListener("abort", cancel))
}

const refuseUpgrade = (settings: Settings, url: URL): Effect.Effect<never, HttpError> => {
  const cause = Object.assign(new Error("this client does not do upgrades"), { code: "ERR_UPGRADE" })
  return Effect.fail(new HttpError({ _tag: "InvalidRequest", client: settings.name, origin: url.origin, cause }))
}

const absolute = /^[a-z][a-z\d+.-]*:\/\//i

export const make = (origins: Origins): HttpClient.HttpClient => {
  const { settings } = origins
  const client = HttpClient.make((request, given, signal) => {
    const url = new URL(given)
    const outgoing: Outgoing = {
      method: request.method,
      headers: headersOf(settings, request, url),
      url,
      body: bodyOf(request),
      idempotent: isIdempotent(request.method, request.headers["idempotency-key"] !== undefined),
      follow: true
    }
    const sent = request.headers["upgrade"] === undefined ? send(origins, outgoing) : refuseUpgrade(settings, url)
    return sent.pipe(
      Effect.mapError((cause) => toClientError(request, cause)),
      Effect.map((answer) => {
        cancelOn(signal, answer.body)
        return new Response(request, answer)
      })
    )
  })
  const { base } = settings
  return base === undefined ?
    client :
    HttpClient.mapRequest(
      client,
      (request) => absolute.test(request.url) ? request : HttpClientRequest.prependUrl(request, base.href)
    )
}
