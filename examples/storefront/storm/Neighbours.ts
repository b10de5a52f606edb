/** Stand-ins for whom a storefront needs beside its database and its cache, and where to find them. */
import { MongoServer } from "@breakwater/testing"
import { Effect, Redacted } from "effect"
import * as Upstreams from "./Upstreams.ts"

export const make = Effect.gen(function*() {
  const payments = yield* Upstreams.payments
  const shipping = yield* Upstreams.shipping
  const mongo = yield* MongoServer.make({ sources: ["responder"] })
  const env = { PAYMENTS_URL: payments.url, SHIPPING_URL: shipping.url, MONGODB_URL: Redacted.value(mongo.url) }
  return { payments, shipping, mongo, env }
})

export type Neighbours = Effect.Success<typeof make>
