import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as StorefrontProcess from "../storm/StorefrontProcess.ts"
import { client, until } from "./support.ts"

describe.skipIf(!TestPostgres.available)("the storefront as an example", () => {
  layer(Layer.mergeAll(TestPostgres.layer, NodeServices.layer), { excludeTestServices: true })((it) => {
    it.effect("needs a database and nothing else, and ends in good order", () =>
      Effect.gen(function*() {
        const { url } = yield* PostgresServer.PostgresServer
        const shop = yield* StorefrontProcess.start({ DATABASE_URL: Redacted.value(url) }, undefined, "../example.ts")
        const http = client(shop.url)
        yield* until(http.get("/health/ready"), ({ status }) => status === 200)
        assert.strictEqual((yield* http.order("example", { product: 1, quantity: 1 })).status, 201)
        yield* until(http.get("/products/1/description"), ({ status }) => status === 200)
        yield* shop.terminate
        assert.strictEqual(yield* shop.exitCode, 0)
      }))
  })
})
