/** A pool whose connections have all broken without a word, and one budget for what is tried again. */
import { RetryBudget } from "@breakwater/core"
import { RedisError } from "@breakwater/redis"
import { Fault } from "@breakwater/testing"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, Schedule } from "effect"
import { eventually, open, proxied } from "../utils/server.ts"

/** The shared connections and some reserved ones are open, were used a moment ago, and are dead. */
const broken = (recover: false | undefined) =>
  Effect.gen(function*() {
    const { proxy, url } = yield* proxied
    const redis = yield* open({
      url,
      pool: { check: { skipWithin: "1 minute" } },
      policy: { retry: { times: 1 }, recover }
    })
    yield* redis.backend.warm
    yield* Effect.scoped(Effect.replicateEffect(redis.reserve, 4))
    yield* eventually(Effect.map(redis.stats, ({ idle, shared }) => shared === 2 && idle === 4))
    // Earns the retries of a hundred callers whose commands break at once.
    yield* Effect.replicateEffect(redis.send("GET", "missing"), 500, { concurrency: 100 })
    yield* proxy.apply(Fault.forget)
    return redis
  })

describe.skipIf(!TestRedis.available)("A broken pool", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((test) => {
    test.effect("is cleared once for a hundred callers, who are all served after it", () =>
      Effect.gen(function*() {
        const redis = yield* broken(undefined)
        const answers = yield* Effect.replicateEffect(redis.send("GET", "missing"), 100, { concurrency: "unbounded" })
        assert.deepStrictEqual(new Set(answers), new Set([null]))
        assert.include(yield* redis.backend.policy, { recoveries: 1 })
      }))

    test.effect("leaves no dead connection to a command that is not repeated", () =>
      Effect.gen(function*() {
        const redis = yield* broken(undefined)
        yield* redis.send("GET", "missing")
        assert.isNull(yield* redis.send("BLPOP", "missing", 0.1))
        // A shared connection is replaced by the next dead one.
        const without = yield* broken(false)
        const error = yield* Effect.flip(without.send("GET", "missing"))
        assert.isTrue(RedisError.isRedisError(error) && error.reason._tag === "ConnectionLost")
      }))

    test.effect("is not cleared for what the server refuses", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        yield* redis.send("SET", "text", "a")
        yield* Effect.flip(redis.send("INCR", "text"))
        assert.include(yield* redis.backend.policy, { recoveries: 0 })
      }))
  })
})

describe.skipIf(!TestRedis.available)("The budget of a Redis", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((test) => {
    test.effect("pays for retries and reconnects together, and lets one dial a second through when it is spent", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const budget = RetryBudget.make({ perSecond: 0, share: 1 })
        const redis = yield* open({
          url,
          pool: { dial: { backoff: Schedule.spaced("10 millis") } },
          policy: { retry: { times: 3, budget } }
        })
        yield* Effect.replicateEffect(redis.send("GET", "missing"), 20)
        assert.strictEqual((yield* redis.backend.policy).retryBudget?.balance, 20)
        // Nobody listens there: the proxy accepts, and hangs up.
        yield* proxy.retarget({ host: "127.0.0.1", port: 1 })
        const { accepted } = yield* proxy.stats
        const [took] = yield* Effect.timed(Effect.andThen(
          proxy.cut,
          eventually(Effect.map(proxy.stats, (stats) => stats.accepted - accepted >= 23))
        ))
        assert.isAtLeast(Duration.toMillis(took), 1000)
        assert.isBelow((yield* redis.backend.policy).retryBudget!.balance, 1)
        // Whom the pool holds off pays nothing, and so may come again.
        yield* Effect.flip(redis.send("GET", "missing"))
        assert.include(yield* redis.backend.policy, { retries: 3, overBudget: 0 })
      }))
  })
})
