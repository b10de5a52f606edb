import { Redis } from "@breakwater/redis"
import { RedisServer } from "@breakwater/testing"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { open } from "../utils/server.ts"

describe.skipIf(!TestRedis.available)("Redis", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((it) => {
    it.effect("answers commands, with text as strings or as Buffers", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        assert.strictEqual(yield* redis.send("SET", "text", "héllo"), "OK")
        assert.strictEqual(yield* redis.send("GET", "text"), "héllo")
        assert.deepStrictEqual(yield* redis.sendBuffers("GET", "text"), Buffer.from("héllo"))
        assert.strictEqual(yield* redis.send("GET", "missing"), null)
        assert.strictEqual(yield* redis.use((client) => client.strlen("text")), 6)
      }))
    it.effect("opens the shared connections at start and keeps them", () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const redis = yield* open({ connections: { shared: 3 } })
        yield* redis.backend.warm
        assert.strictEqual(yield* server.connections(redis.name), 3)
      }))
  })
})
export const unused = Redis
