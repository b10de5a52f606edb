/** How many connections there are, whatever is done to them. */
import { PoolError } from "@breakwater/core"
import type { Redis } from "@breakwater/redis"
import { RedisServer } from "@breakwater/testing"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Random, Stream } from "effect"
import { eventually, open, proxied } from "../utils/server.ts"

const INTERRUPTS = 50

/** One of the things a program does, by number. */
const work = (redis: Redis.Redis, n: number): Effect.Effect<unknown, unknown> => {
  switch (n % 6) {
    case 0:
      return redis.send("BLPOP", "none", "0.05")
    case 1:
      return redis.transaction(["w"], () => Effect.succeed([["SET", "w", n]]))
    case 2:
      return redis.pipeline([["SET", "p", n], ["GET", "p"]], { atomic: true })
    case 3:
      return Stream.runDrain(redis.subscribe([`c${n}`]))
    case 4:
      return redis.use((client) => client.get("p"))
    default:
      return redis.send("INCR", "n")
  }
}

describe.skipIf(!TestRedis.available)("Redis' connections", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((it) => {
    it.effect("are after 1,000 operations as many as before", () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const redis = yield* open()
        yield* redis.backend.warm
        const before = yield* server.connections(redis.name)
        yield* Effect.forEach(Array(1000).keys(), (n) => redis.send("SET", `k${n}`, n), { concurrency: 20 })
        assert.strictEqual(yield* server.connections(redis.name), before)
        const { closed, opened } = yield* redis.stats
        assert.deepStrictEqual({ closed, opened }, { closed: 0, opened: before })
      }))

    it.effect("are never more than the limit, as a proxy counts them, for 100 calls at once of both kinds", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({ url, connections: { max: 8, shared: 2 } })
        yield* Effect.forEach(Array(100).keys(), (n) =>
          n % 2 === 0
            ? redis.send("SET", `k${n}`, n)
            : Effect.scoped(Effect.flatMap(redis.reserve, ({ send }) => send("BLPOP", "none", "0.02"))), {
          concurrency: 100
        })
        const { accepted, peak } = yield* proxy.stats
        assert.isAtMost(peak, 8)
        assert.strictEqual(accepted, peak)
        assert.strictEqual((yield* redis.stats).used, 2)
      }))

    it.effect("refuse in time whoever finds none free", () =>
      Effect.gen(function*() {
        const redis = yield* open({
          connections: { max: 2, shared: 1 },
          pool: { wait: { timeout: "100 millis", maxWaiting: 1 } }
        })
        yield* redis.backend.warm
        yield* Effect.scoped(Effect.gen(function*() {
          yield* redis.reserve
          const errors = yield* Effect.forEach([1, 2], () => Effect.flip(Effect.scoped(redis.reserve)), {
            concurrency: 2
          })
          const reasons = errors.map((error) => PoolError.isPoolError(error) ? error.reason._tag : error._tag)
          assert.deepStrictEqual(reasons.toSorted(), ["AcquireTimeout", "QueueFull"])
        }))
        yield* Effect.scoped(redis.reserve)
      }))

    it.effect(`are all given back after ${INTERRUPTS} interrupts at random`, () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const redis = yield* open({ connections: { max: 6, shared: 2 } })
        yield* redis.backend.warm
        for (let n = 0; n < INTERRUPTS; n++) {
          const fiber = yield* Effect.forkChild(work(redis, n))
          const millis = yield* Random.nextIntBetween(0, 8)
          if (millis > 0) yield* Effect.sleep(millis)
          yield* Fiber.interrupt(fiber)
        }
        yield* eventually(Effect.map(redis.stats, ({ closing, opening }) => closing + opening === 0))
        const { idle, inFlight, used, waiting } = yield* redis.stats
        assert.deepStrictEqual({ inFlight, used, waiting }, { inFlight: 0, used: 2, waiting: 0 })
        yield* eventually(Effect.map(server.connections(redis.name), (count) => count === idle + used))
        assert.isTrue(Exit.isSuccess(yield* Effect.exit(redis.send("PING"))))
      }).pipe(Random.withSeed("redis")))
  })
})
