/**
 * Who takes the money. An authorization that no order follows lapses by itself; one that is asked for again with its key
 * is the same one.
 */
import { Http } from "@breakwater/http"
import { Effect, Schema } from "effect"
import { HttpClientRequest } from "effect/http"
import * as Upstream from "./Upstream.ts"

export class Payments extends Http.Service<Payments>()("payments") {}

export const layer = Payments.layerConfig(Upstream.options("PAYMENTS"))

const Authorization = Schema.Struct({ id: Schema.String })

export const authorize = Effect.fnUntraced(function*(key: string, cents: number) {
  const { client } = yield* Payments
  // The key also tells the client that the request may be repeated.
  const request = HttpClientRequest.post("/authorizations", { headers: { "idempotency-key": key } }).pipe(
    HttpClientRequest.bodyJsonUnsafe({ cents })
  )
  return yield* Upstream.call(client, request, Authorization)
})
