/** The promise face. */
import { PoolError } from "@breakwater/core"
import { Redis, RedisError } from "@breakwater/redis"
import { RedisServer } from "@breakwater/testing"
import { rejection } from "@breakwater/testing/Rejection"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { freshName } from "../utils/server.ts"

const withUrl = (test: (options: Redis.Options) => Promise<void>) =>
  Effect.flatMap(RedisServer.RedisServer, ({ url }) => Effect.promise(() => test({ name: freshName(), url })))

describe.skipIf(!TestRedis.available)("start", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((it) => {
    it.effect("answers commands, statistics and health, and closes once", () =>
      withUrl(async (options) => {
        const cache = await Redis.start(options)
        assert.strictEqual(await cache.client.send(["SET", "promised", 1]), "OK")
        assert.deepStrictEqual(await cache.client.pipeline([["INCR", "promised"], ["GET", "promised"]]), [2, "2"])
        assert.strictEqual(await cache.client.use((client) => client.get("promised")), "2")
        assert.isAtLeast((await cache.stats()).shared, 1)
        assert.strictEqual((await cache.health()).status, "healthy")
        await Promise.all([cache.close(), cache.close()])
        assert.isTrue(PoolError.isPoolError(await rejection(cache.client.send(["PING"]))))
      }))

    it.effect("closes at the end of the block with await using", () =>
      withUrl(async (options) => {
        let client: Redis.Client | undefined
        {
          await using cache = await Redis.start(options)
          client = cache.client
          await client.send(["PING"])
        }
        assert.isTrue(PoolError.isPoolError(await rejection(client.send(["PING"]))))
      }))

    it.effect("ends a call whose signal is aborted, with the reason of the signal", () =>
      withUrl(async (options) => {
        await using cache = await Redis.start(options)
        const controller = new AbortController()
        const reason = new Error("enough")
        const blocked = cache.client.send(["BLPOP", "none", 30], { signal: controller.signal })
        let aborted = false
        const used = cache.client.use((_, signal) =>
          new Promise(() =>
            signal.addEventListener("abort", () => {
              aborted = true
            })
          ), { signal: controller.signal })
        setTimeout(() => controller.abort(reason), 100)
        assert.strictEqual(await rejection(blocked), reason)
        assert.strictEqual(await rejection(used), reason)
        assert.isTrue(aborted)
        assert.strictEqual(await rejection(cache.client.send(["PING"], { signal: controller.signal })), reason)
        assert.strictEqual((await cache.stats()).inFlight, 0)
      }))

    it.effect("rejects with typed errors of Redis, and passes on the program's own", () =>
      withUrl(async (options) => {
        await using cache = await Redis.start(options)
        assert.isTrue(RedisError.isRedisError(await rejection(cache.client.send(["NOSUCH"]))))
        const mine = new Error("mine")
        assert.strictEqual(await rejection(cache.client.use(() => Promise.reject(mine))), mine)
      }))

    it.effect("rejects when the start itself is aborted or fails", () =>
      withUrl(async (options) => {
        const reason = new Error("too late")
        assert.strictEqual(await rejection(Redis.start(options, { signal: AbortSignal.abort(reason) })), reason)
        assert.throws(() => Redis.make({ ...options, connections: { max: 0 } }), RangeError)
      }))
  })
})
