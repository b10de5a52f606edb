/**
 * The pool as an undici `Dispatcher`, for what is written against undici: its `fetch`, its `request`, an SDK that takes
 * one. Same limits, same policies; redirects are left to whoever dispatches.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { Readable } from "node:stream"
import * as Undici from "undici/index.js"
import { HttpError } from "../HttpError.ts"
import { isIdempotent } from "./client.ts"
import type { Incoming } from "./exchange.ts"
import type { Origins } from "./origins.ts"
import type { Outgoing } from "./redirect.ts"
import { type Answer, send } from "./send.ts"

type Handler = Undici.Dispatcher.DispatchHandler

type Pair = [name: string, value: string | Array<string>]

const valueOf = (value: unknown): string | Array<string> => {
  if (Array.isArray(value)) return value.map(String)
  return typeof value === "string" || typeof value === "number" ? String(value) : ""
}

/** Undici takes a record, pairs, and names and values in turn. */
const pairsOf = (headers: Undici.Dispatcher.DispatchOptions["headers"]): Array<Pair> => {
  if (headers === undefined || headers === null) return []
  const given = Array.from<unknown>(Predicate.isIterable(headers) ? headers : Object.entries(headers))
  if (!given.every(Array.isArray)) {
    return given.flatMap((name, index): Array<Pair> =>
      index % 2 === 0 ? [[String(name), valueOf(given[index + 1])]] : []
    )
  }
  return given.map(([name, value]): Pair => [String(name), valueOf(value)])
}

const withQuery = (path: string, query: Record<string, unknown> | undefined): string => {
  if (query === undefined || query === null) return path
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one))
  }
  return search.size === 0 ? path : `${path}?${search.toString()}`
}

/** A stream can be sent once: a repetition would send its rest. */
const isReplayable = (body: unknown): boolean =>
  body === undefined || body === null || typeof body === "string" || body instanceof Uint8Array

const outgoingOf = (options: Undici.Dispatcher.DispatchOptions): Outgoing => {
  const headers = Object.fromEntries(pairsOf(options.headers).map(([name, value]) => [name.toLowerCase(), value]))
  const { body = null, method } = options
  return {
    method,
    url: new URL(withQuery(options.path, options.query), options.origin),
    headers,
    body: () => body,
    idempotent: isReplayable(body) && isIdempotent(method, headers["idempotency-key"] !== undefined),
    follow: false
  }
}

const rawOf = (headers: Incoming["headers"]): Array<Buffer> =>
  Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? ""]).flatMap((one) => [Buffer.from(name), Buffer.from(one, "latin1")])
  )

/** What a handler steers by. Its response may not have begun yet. */
class Control implements Undici.Dispatcher.DispatchController {
  aborted = false
  reason: Error | null = null
  rawHeaders: Array<Buffer> | null = null
  rawTrailers: Array<Buffer> | null = null
  body: Readable | undefined
  private held = false
  private readonly onAbort: () => void

  constructor(onAbort: () => void) {
    this.onAbort = onAbort
  }

  get paused(): boolean {
    return this.held
  }

  pause(): void {
    this.held = true
    this.body?.pause()
  }

  resume(): void {
    this.held = false
    this.body?.resume()
  }

  abort(reason: Error): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.onAbort()
  }
}

/** Tells a handler how a call goes on, and each of the ends once. */
const deliver = (answer: Answer, handler: Handler, control: Control): void => {
  const { body, headers, status, statusText } = answer
  control.body = body
  control.rawHeaders = rawOf(headers)
  const guarded = (tell: () => void) => {
    try {
      tell()
    } catch (error) {
      control.abort(error instanceof Error ? error : new Error(String(error)))
    }
  }
  body.once("end", () => handler.onResponseEnd?.(control, {}))
  body.once("error", (error) => control.aborted ? undefined : handler.onResponseError?.(control, error))
  guarded(() => handler.onResponseStart?.(control, status, headers, statusText))
  body.on("data", (chunk: Buffer) => guarded(() => handler.onResponseData?.(control, chunk)))
  if (control.paused) body.pause()
}

export class PoolDispatcher extends Undici.Dispatcher {
  private readonly origins: Origins
  private readonly fork: ReturnType<typeof Effect.runForkWith<never>>

  constructor(origins: Origins, context: Context.Context<never>) {
    super()
    this.origins = origins
    this.fork = Effect.runForkWith(context)
  }

  override dispatch(options: Undici.Dispatcher.DispatchOptions, handler: Handler): boolean {
    const refused = this.refusal(options)
    if (refused !== undefined) {
      handler.onResponseError?.(new Control(() => {}), refused)
      return true
    }
    const fiber = { interrupt: () => {} }
    const control: Control = new Control(() => {
      fiber.interrupt()
      control.body?.destroy()
      handler.onResponseError?.(control, control.reason ?? new Error("aborted"))
    })
    handler.onRequestStart?.(control, {})
    if (control.aborted) return true
    const running = this.fork(send(this.origins, outgoingOf(options)))
    fiber.interrupt = () => running.interruptUnsafe()
    running.addObserver((exit) => {
      if (control.aborted) {
        if (exit._tag === "Success") exit.value.body.destroy()
      } else if (exit._tag === "Success") deliver(exit.value, handler, control)
      else handler.onResponseError?.(control, errorOf(exit.cause))
    })
    return true
  }

  // The pool belongs to its layer: who borrows a dispatcher does not end it.
  override close(callback?: () => void): Promise<void> {
    callback?.()
    return Promise.resolve()
  }

  override destroy(...given: ReadonlyArray<Error | null | (() => void) | undefined>): Promise<void> {
    for (const one of given) if (typeof one === "function") one()
    return Promise.resolve()
  }

  private refusal(options: Undici.Dispatcher.DispatchOptions): HttpError | undefined {
    const origin = options.origin
    const usable = origin !== undefined && URL.canParse(String(origin))
    if (usable && (options.upgrade === undefined || options.upgrade === null) && options.method !== "CONNECT") {
      return undefined
    }
    const cause = new Error(usable ? "this dispatcher does not do upgrades" : "the origin is missing or no URL")
    const client = this.origins.settings.name
    return new HttpError({ _tag: "InvalidRequest", client, origin: usable ? String(origin) : "unknown", cause })
  }
}

const errorOf = (cause: Cause.Cause<Error>): Error => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error : new Error("the request was interrupted")
}

/** As the standard's `fetch`, through the pool. */
export type Fetch = (
  input: Undici.RequestInfo,
  init?: Omit<Undici.RequestInit, "dispatcher">
) => Promise<Undici.Response>

export const fetchOf = (dispatcher: Undici.Dispatcher): Fetch => (input, init) =>
  Undici.fetch(input, { ...init, dispatcher })
