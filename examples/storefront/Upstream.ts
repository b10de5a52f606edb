/** How the shop treats the services of others: each has a pool, a policy and a breaker of its own. */
import type { Http } from "@breakwater/http"
import { Config, Effect, Schema } from "effect"
import { HttpClient, type HttpClientRequest, HttpClientResponse } from "effect/http"
import * as Policies from "./Policies.ts"
import * as StorefrontError from "./StorefrontError.ts"

/** Reads the URL from `<name>_URL`. The shop shows its products without any of them. */
export const options = (name: string) => ({
  url: Config.Redacted(`${name}_URL`),
  critical: Config.succeed(false),
  pool: Config.succeed<Http.PoolOptions>({
    size: { max: 20 },
    wait: { timeout: "500 millis", maxWaiting: 100 },
    dial: { timeout: "500 millis" }
  }),
  policy: Policies.config(`${name}_POLICY`, {
    deadline: "900 millis",
    timeout: "250 millis",
    retry: { times: 3 },
    breaker: {}
  }, Policies.BARE)
})

/** Sends a request, and reads an answer that says that all is well. */
export const call = Effect.fnUntraced(
  function*<A, I>(
    client: HttpClient.HttpClient,
    request: HttpClientRequest.HttpClientRequest,
    schema: Schema.Codec<A, I>
  ) {
    const response = yield* HttpClient.withScope(client).execute(request)
    const ok = yield* HttpClientResponse.filterStatusOk(response)
    return yield* HttpClientResponse.schemaBodyJson(schema)(ok)
  },
  Effect.scoped,
  Effect.mapError(StorefrontError.fromBackend)
)
