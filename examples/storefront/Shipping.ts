/** Who carries the parcels. */
import { Http } from "@breakwater/http"
import { Effect, Schema } from "effect"
import { HttpClientRequest } from "effect/http"
import * as Upstream from "./Upstream.ts"

export class Shipping extends Http.Service<Shipping>()("shipping") {}

export const layer = Shipping.layerConfig(Upstream.options("SHIPPING"))

export const Quote = Schema.Struct({ product: Schema.Int, cents: Schema.Int, days: Schema.Int })

export const quote = Effect.fnUntraced(function*(product: number) {
  const { client } = yield* Shipping
  return yield* Upstream.call(client, HttpClientRequest.get(`/quotes/${product}`), Quote)
})
