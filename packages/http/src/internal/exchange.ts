/**
 * One request on one connection, from the first byte to the end of the response's body, as undici tells it. Its end,
 * whichever way it comes, is told exactly once.
 *
 * @internal
 */
import type * as Outcome from "@breakwater/core/Outcome"
import { Readable } from "node:stream"
import { type Dispatcher, errors } from "undici/index.js"
import { HttpError, isHttpError } from "../HttpError.ts"
import type { Connection } from "./connection.ts"
import type { Settings } from "./settings.ts"

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2]

/** The response as it came. */
export interface Incoming {
  readonly origin: string
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  /** Must be read, destroyed or discarded; the deadline of the call destroys it otherwise. */
  readonly body: Readable
}

export type Head = (result: HttpError | Incoming) => void

/** Bytes kept ready for a reader before the server is held back. */
const HIGH_WATER = 64 * 1024

class Body extends Readable {
  private readonly exchange: Exchange

  constructor(exchange: Exchange) {
    super({ highWaterMark: HIGH_WATER })
    this.exchange = exchange
    // Whoever reads it hears of the error; without a reader it must not end the process.
    this.on("error", () => {})
  }

  override _read(): void {
    this.exchange.resume()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.exchange.abort()
    callback(error)
  }
}

/** A parser's error carries what it read, which may be anything. */
const withoutData = (error: Error): unknown => "data" in error ? new Error(error.message) : error

export class Exchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined
  private body: Body | undefined
  private aborted = false
  private ended = false
  private readonly reused: boolean
  private readonly connection: Connection
  private readonly settings: Settings
  private readonly onHead: Head
  private readonly onEnd: () => void

  constructor(connection: Connection, settings: Settings, onHead: Head, onEnd: () => void) {
    this.connection = connection
    // A connection opens its socket with its first request.
    this.reused = connection.socket !== undefined
    this.settings = settings
    this.onHead = onHead
    this.onEnd = onEnd
  }

  /** Gives up: the connection closes unless the response is complete already. */
  abort(): void {
    if (this.ended || this.aborted) return
    this.aborted = true
    if (this.controller !== undefined) this.controller.abort(new errors.RequestAbortedError())
    // Not begun: undici would open a connection for it first. Closing the client ends it at once.
    else void this.connection.close()
  }

  resume(): void {
    this.controller?.resume()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.aborted) controller.abort(new errors.RequestAbortedError())
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Headers,
    statusText?: string
  ): void {
    if (status < 200) return
    this.body = new Body(this)
    this.onHead({ origin: this.connection.origin, status, statusText: statusText ?? "", headers, body: this.body })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.body?.push(chunk) === false) controller.pause()
  }

  onResponseEnd(): void {
    this.end()
    this.body?.push(null)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const failure = this.failure(error)
    this.end()
    if (this.body === undefined) this.onHead(failure)
    else this.body.destroy(failure)
  }

  private end(): void {
    if (this.ended) return
    this.ended = true
    this.onEnd()
  }

  private failure(error: Error): HttpError {
    if (isHttpError(error)) return error
    const at = { client: this.settings.name, origin: this.connection.origin }
    if (this.connection.isConnectError(error)) return new HttpError({ _tag: "ConnectFailed", ...at, cause: error })
    if (error instanceof errors.HeadersTimeoutError) {
      return new HttpError({ _tag: "HeadersTimeout", ...at, timeout: this.settings.headersTimeout })
    }
    if (error instanceof errors.BodyTimeoutError) {
      return new HttpError({ _tag: "BodyTimeout", ...at, timeout: this.settings.bodyTimeout })
    }
    if (this.aborted) return new HttpError({ _tag: "Cancelled", ...at })
    if (
      error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError ||
      error instanceof errors.RequestContentLengthMismatchError
    ) {
      return new HttpError({ _tag: "InvalidRequest", ...at, cause: error })
    }
    if (
      error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError ||
      error instanceof errors.ResponseContentLengthMismatchError
    ) {
      return new HttpError({ _tag: "InvalidResponse", ...at, cause: withoutData(error) })
    }
    const sent: Outcome.Sent = this.controller === undefined ? "no" : this.body === undefined ? "unknown" : "yes"
    const during = this.body === undefined ? "request" : "body"
    return new HttpError({ _tag: "ConnectionLost", ...at, during, sent, reused: this.reused, cause: error })
  }
}
