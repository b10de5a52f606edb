/**
 * What holds for every route: who may ask, by which methods, without a body; and that nobody keeps the answer.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import type { Access } from "./access.ts"

const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

/** An answer that says nothing but its status. */
export const empty = (status: number, headers: Readonly<Record<string, string>> = {}) =>
  HttpServerResponse.empty({ status, headers: { ...HEADERS, ...headers } })

const UNAUTHORIZED = empty(401, { "www-authenticate": "Bearer" })
const FORBIDDEN = empty(403)
const WRONG_METHOD = empty(405, { allow: "GET, HEAD" })
/** What is left of the request is not read. */
const WITH_BODY = empty(400, { connection: "close" })

const hasBody = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0"

/** A body in the shape of its schema: what does not fit it is a bug of ours. */
export const json = <A, I>(schema: Schema.Codec<A, I>) => {
  const encode = Schema.encodeUnknownSync(schema)
  return (value: A, status = 200): HttpServerResponse.HttpServerResponse =>
    HttpServerResponse.text(JSON.stringify(encode(value)), {
      status,
      contentType: "application/json",
      headers: HEADERS
    })
}

export const text = (body: string, contentType: string, headers: Readonly<Record<string, string>> = {}) =>
  HttpServerResponse.text(body, { contentType, headers: { ...HEADERS, ...headers } })

type Answer<R> = Effect.Effect<HttpServerResponse.HttpServerResponse, never, R | HttpServerRequest.HttpServerRequest>

const asked = <R>(answer: Answer<R>, request: HttpServerRequest.HttpServerRequest): Answer<R> => {
  if (request.method !== "GET" && request.method !== "HEAD") return Effect.succeed(WRONG_METHOD)
  return hasBody(request) ? Effect.succeed(WITH_BODY) : answer
}

/** For everybody. */
export const open = <R>(answer: Answer<R>): Answer<R> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => asked(answer, request))

/** For those who have access; the others learn nothing else. */
export const guarded = <R>(access: Access, answer: Answer<R>): Answer<R> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.flatMap(access(request), (verdict) => {
      if (verdict === "granted") return asked(answer, request)
      return Effect.succeed(verdict === "missing" ? UNAUTHORIZED : FORBIDDEN)
    }))

/** For a body that goes on for ever: who wants to know only that it is there is not given one. */
export const bodyless = <R>(answer: Answer<R>): Answer<R> =>
  Effect.flatMap(
    HttpServerRequest.HttpServerRequest,
    ({ method }) => method === "HEAD" ? Effect.succeed(empty(200, { "content-type": "text/event-stream" })) : answer
  )
