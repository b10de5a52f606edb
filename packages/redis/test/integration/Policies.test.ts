/** What is done around commands, beyond retry and breaker. */
import { PolicyError } from "@breakwater/core"
import { Redis, RedisError } from "@breakwater/redis"
import { Fault } from "@breakwater/testing"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { open, proxied } from "../utils/server.ts"

describe("The policy of a Redis", () => {
  it("refuses what there is not, by name", () => {
    const misspelt = Object.assign({ deadline: "1 second" } as const, { braeker: {} })
    assert.throws(
      () => Redis.make({ name: "cache", url: Redacted.make("redis://localhost"), policy: misspelt }),
      RangeError,
      "Option \"policy.braeker\" is not known; allowed is one of deadline,"
    )
  })
})

describe.skipIf(!TestRedis.available)("The policy of a Redis", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((test) => {
    test.effect("bounds the commands that run at once, and not who has a connection of his own", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({ url, policy: { bulkhead: { permits: 1, queue: 0 } } })
        yield* redis.backend.warm
        assert.isNull(yield* redis.send("BLPOP", "missing", 0.01))
        yield* proxy.blackHole
        const stuck = yield* Effect.forkChild(redis.send("GET", "missing"), { startImmediately: true })
        const refused = yield* Effect.flip(redis.send("GET", "missing"))
        assert.isTrue(PolicyError.isPolicyError(refused) && refused.reason._tag === "BulkheadFull")
        assert.deepInclude((yield* redis.backend.policy).bulkhead, { running: 1, permits: 1 })
        yield* Fiber.interrupt(stuck)
      }))

    test.effect("opens a circuit where new connections break, and not where those have that had served", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({
          url,
          connections: { shared: 1 },
          policy: { retry: false, recover: false, breaker: { consecutive: 1 } }
        })
        const state = Effect.map(redis.backend.policy, ({ circuit }) => circuit?.state)
        const broken = Effect.gen(function*() {
          yield* redis.backend.warm
          yield* proxy.apply(Fault.forget)
          const error = yield* Effect.flip(redis.send("GET", "missing"))
          assert.isTrue(RedisError.isRedisError(error) && error.reason._tag === "ConnectionLost")
          yield* proxy.restore
        })
        yield* redis.backend.warm
        yield* Effect.replicateEffect(redis.send("GET", "missing"), 10, { concurrency: 10 })
        yield* broken
        assert.strictEqual(yield* state, "closed")
        yield* broken
        assert.strictEqual(yield* state, "open")
      }))
  })
})
