import { RedisServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { layerCached, Shop } from "./shop.ts"
import { until } from "./support.ts"

const ownRedis = RedisServer.layer({ sources: RedisServer.ownSources })

describe.skipIf(!TestPostgres.available || !TestRedis.ownAvailable)("storefront and its neighbours", () => {
  layer(Layer.provideMerge(layerCached, ownRedis), { excludeTestServices: true })((it) => {
    it.effect("products come from Redis, and from the database while there is none", () =>
      Effect.gen(function*() {
        const { http } = yield* Shop
        const redis = yield* RedisServer.RedisServer
        yield* until(http.get("/products/1"), ({ cache }) => cache === "hit")
        yield* redis.kill
        const without = yield* http.get("/products/1")
        assert.deepStrictEqual([without.status, without.cache], [200, "bypass"])
        assert.strictEqual((yield* http.get("/health/ready")).status, 200)
        assert.nestedPropertyVal((yield* http.get("/health/pools")).body, "backends.cache.status", "unhealthy")
        yield* redis.start
        yield* until(http.get("/products/1"), ({ cache }) => cache === "hit")
      }))

    it.effect("nothing is sold while nobody takes the money, and the same order succeeds afterwards", () =>
      Effect.gen(function*() {
        const { database: { sql }, http, neighbours: { payments } } = yield* Shop
        const wanted = { product: 2, quantity: 1 }
        yield* payments.kill
        const refused = yield* http.order("unpaid", wanted)
        assert.deepStrictEqual([refused.status, refused.reason], [503, "Unavailable"])
        assert.lengthOf(yield* sql`select id from orders where key = 'unpaid'`, 0)
        yield* payments.start
        yield* until(http.order("unpaid", wanted), ({ status }) => status === 201)
        assert.isTrue(payments.isAuthorized("unpaid"))
        assert.lengthOf(yield* sql`select id from orders where key = 'unpaid'`, 1)
      }))

    it.effect("without the catalogue there are no descriptions, and everything else goes on", () =>
      Effect.gen(function*() {
        const { http, neighbours: { mongo } } = yield* Shop
        yield* until(http.get("/products/3/description"), ({ status }) => status === 200)
        yield* mongo.kill
        // In the instant of the death, Bun may tell the driver nothing: that read ends by its time limit.
        yield* until(
          http.get("/products/3/description"),
          ({ reason, status }) => status === 503 && reason === "Unavailable"
        )
        assert.strictEqual((yield* http.get("/products/3/shipping")).status, 200)
        assert.strictEqual((yield* http.order("undescribed", { product: 3, quantity: 1 })).status, 201)
        yield* mongo.start
        yield* until(http.get("/products/3/description"), ({ status }) => status === 200)
      }))
  })
})
