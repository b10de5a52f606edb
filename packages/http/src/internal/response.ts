/**
 * A response as Effect's HTTP client gives it.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as UrlParams from "effect/http/UrlParams"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import { pipeArguments } from "effect/Pipeable"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Readable } from "node:stream"
import type { Answer } from "./send.ts"

type Fail = HttpClientError.HttpClientError

/**
 * The request as errors show it. A query may hold a secret under any name, and the messages of Effect's errors quote the
 * URL.
 */
export const withoutQuery = (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest =>
  HttpClientRequest.setUrl(request, request.url.replace(/[?#].*$/s, ""))

const collected = (body: Readable): Effect.Effect<ArrayBuffer, unknown> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    body.on("data", (chunk: Buffer) => void chunks.push(chunk))
    body.once("end", () => {
      const all = Buffer.concat(chunks)
      // A buffer of its own: that of `concat` may be a part of a shared one.
      const bytes = new ArrayBuffer(all.byteLength)
      new Uint8Array(bytes).set(all)
      resume(Effect.succeed(bytes))
    })
    body.once("error", (error) => resume(Effect.fail(error)))
    body.once("close", () => resume(Effect.fail(body.errored ?? new Error("The body was closed before its end"))))
    if (body.destroyed) resume(Effect.fail(body.errored ?? new Error("The body was read or closed before")))
    return Effect.sync(() => void body.destroy())
  })

export class Response extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: typeof HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: string
  readonly status: number
  readonly headers: Headers.Headers
  readonly arrayBuffer: Effect.Effect<ArrayBuffer, Fail>
  private readonly answer: Answer

  constructor(request: HttpClientRequest.HttpClientRequest, answer: Answer) {
    super()
    this.request = request
    this.answer = answer
    this.status = answer.status
    this.headers = Headers.fromInput(answer.headers)
    this.url = answer.url.origin + answer.url.pathname + answer.url.search
    this.arrayBuffer = Effect.runSync(
      Effect.cached(Effect.suspend(() => Effect.mapError(collected(answer.body), (cause) => this.failure(cause))))
    )
  }

  get cookies(): Cookies.Cookies {
    const header = this.answer.headers["set-cookie"]
    return header === undefined ? Cookies.empty : Cookies.fromSetCookie(header)
  }

  get remoteAddress(): Option.Option<string> {
    return Option.none()
  }

  get stream(): Stream.Stream<Uint8Array, Fail> {
    return Stream.suspend(() =>
      Stream.fromAsyncIterable<Uint8Array, Fail>(this.answer.body, (cause) => this.failure(cause))
    )
  }

  get text(): Effect.Effect<string, Fail> {
    return Effect.map(this.arrayBuffer, (bytes) => new TextDecoder().decode(bytes))
  }

  get json(): Effect.Effect<Schema.Json, Fail> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({
        try: () => text === "" ? null : JSON.parse(text),
        // The error of the parser quotes the body, which may be anything.
        catch: () => this.failure(new SyntaxError("The body is not valid JSON"))
      }))
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, Fail> {
    return Effect.map(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get formData(): Effect.Effect<FormData, Fail> {
    return Effect.flatMap(this.arrayBuffer, (bytes) =>
      Effect.tryPromise({
        try: () => new globalThis.Response(bytes, { headers: { ...this.headers } }).formData(),
        catch: (cause) => this.failure(cause)
      }))
  }

  get upgrade(): Effect.Effect<never, Fail> {
    const description = "this client does not do upgrades"
    const reason = new HttpClientError.StatusCodeError({ request: this.request, response: this, description })
    return Effect.fail(new HttpClientError.HttpClientError({ reason }))
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  pipe() {
    return pipeArguments(this, arguments)
  }

  private failure(cause: unknown): Fail {
    const request = withoutQuery(this.request)
    const reason = new HttpClientError.DecodeError({ request, response: this, cause })
    return new HttpClientError.HttpClientError({ reason })
  }
}
