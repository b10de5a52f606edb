/** Requests to a storefront, and the answers that tests look at. */
import { Effect, Option, Schedule, Schema } from "effect"
import { StorefrontError } from "../StorefrontError.ts"

export interface Answer {
  readonly status: number
  readonly body: unknown
  /** The tag of the reason, where the body is a `StorefrontError`. */
  readonly reason: string | undefined
  /** What the storefront says of its cache. */
  readonly cache: string | null
}

const decodeError = Schema.decodeUnknownOption(StorefrontError)

/** Bounded, so that a hang fails the test that it happens in. */
const LIMIT = "12 seconds"

export const client = (url: string) => {
  const call = (path: string, init: RequestInit = {}): Effect.Effect<Answer, unknown> =>
    Effect.tryPromise(async (signal) => {
      const response = await fetch(`${url}${path}`, { ...init, signal })
      const body: unknown = await response.json()
      const error = Option.getOrUndefined(decodeError(body))
      return { status: response.status, body, reason: error?.reason._tag, cache: response.headers.get("x-cache") }
    }).pipe(Effect.timeout(LIMIT))
  return {
    call,
    get: (path: string) => call(path),
    order: (key: string, body: unknown) =>
      call("/orders", {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": key },
        body: JSON.stringify(body)
      })
  }
}

export type Client = ReturnType<typeof client>

/** Asks again and again. */
export const until = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  predicate: (a: A) => boolean
): Effect.Effect<A, unknown, R> =>
  effect.pipe(Effect.repeat({ until: predicate, schedule: Schedule.spaced("20 millis") }), Effect.timeout(LIMIT))
