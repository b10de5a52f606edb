/** A pool of ours, quiet, and out of the process's registry. */
import { Backends } from "@breakwater/core"
import { Http, HttpError } from "@breakwater/http"
import { assert } from "@effect/vitest"
import { type Config, Effect, Option, References, type Scope } from "effect"
import type { HttpClientError } from "effect/http"

export { eventually } from "@breakwater/testing/Eventually"

export const open = (
  options: Partial<Http.Options> = {}
): Effect.Effect<Http.Http, Config.ConfigError, Scope.Scope> =>
  Backends.isolated(Http.make({ name: "payments", ...options })).pipe(
    Effect.provideService(References.MinimumLogLevel, "None")
  )

/** Sends a GET and reads the text. */
export const textOf = (http: Http.Http, url: string) =>
  Effect.flatMap(http.client.get(url), (response) => response.text)

/** The typed error of a request that fails. */
export const failureOf = <A, E extends HttpClientError.HttpClientError, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<HttpError.Failure, A, R> =>
  Effect.map(Effect.flip(effect), (error) => {
    const failure = HttpError.fromHttpClientError(error)
    return Option.isSome(failure) ? failure.value : assert.fail(`there is no typed error in ${error.message}`)
  })
