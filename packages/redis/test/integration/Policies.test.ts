/** What is done around commands, beyond retry and breaker. */
import { PolicyError } from "@breakwater/core"
import { Redis, RedisError, RedisOutcome } from "@breakwater/redis"
import { Fault } from "@breakwater/testing"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, identity, Redacted } from "effect"
import type { Redis as IoRedis } from "ioredis"
import { open, proxied } from "../utils/server.ts"

const outcomeOf = (error: unknown) => RedisOutcome.fromExit(Exit.fail(error))

/** The server takes no writes, of which each is answered by an error. */
const withoutReplicas = <A, E, R>(redis: Redis.Redis, effect: Effect.Effect<A, E, R>) => {
  const wanted = (replicas: number) => Effect.orDie(redis.send("CONFIG", "SET", "min-replicas-to-write", replicas))
  return Effect.acquireUseRelease(wanted(1), () => effect, () => wanted(0))
}

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

    test.effect("repeats no pipeline of which a part was executed", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        yield* withoutReplicas(
          redis,
          Effect.gen(function*() {
            const partly = yield* Effect.flip(redis.pipeline([["PUBLISH", "news", "once"], ["SET", "refused", 1]]))
            assert.deepInclude(outcomeOf(partly), { _tag: "Failure", sent: "yes" })
            assert.strictEqual((yield* redis.backend.policy).retries, 0)
            const nothing = yield* Effect.flip(redis.pipeline([["INCR", "refused"], ["SET", "refused", 1]]))
            assert.deepInclude(outcomeOf(nothing), { _tag: "Failure", sent: "no" })
            assert.strictEqual((yield* redis.backend.policy).retries, 3)
          })
        )
      }))

    test.effect("repeats no function that has had a command executed", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({ url, connections: { shared: 1 } })
        let runs = 0
        yield* redis.send("SET", "runs", 0)
        const lost = yield* Effect.flip(redis.use(async (client) => {
          runs++
          await client.incr("runs")
          const closed = new Promise((resolve) => client.once("close", resolve))
          await Effect.runPromise(proxy.cut)
          await closed
          return client.incr("runs")
        }))
        yield* proxy.restore
        assert.deepInclude(outcomeOf(lost), { _tag: "Failure", sent: "unknown" })
        assert.strictEqual(runs, 1)
        yield* withoutReplicas(
          redis,
          Effect.gen(function*() {
            const refused = yield* Effect.flip(redis.use(async (client) => {
              runs++
              await client.publish("news", "once")
              return client.incr("runs")
            }))
            assert.deepInclude(outcomeOf(refused), { _tag: "Failure", sent: "yes" })
            assert.strictEqual(runs, 2)
            yield* Effect.flip(redis.use((client) => (runs++, client.incr("runs"))))
            assert.strictEqual(runs, 6)
            const published = (client: IoRedis) => Effect.promise(() => (runs++, client.publish("news", "once")))
            const raw = yield* Effect.flip(redis.use((client) =>
              Effect.andThen(
                published(client),
                Effect.tryPromise({ try: () => client.incr("runs"), catch: identity })
              )
            ))
            assert.deepInclude(outcomeOf(raw), { _tag: "Failure", sent: "unknown" })
            assert.strictEqual(runs, 7)
            const other = yield* open()
            const nested = yield* Effect.flip(
              redis.use((client) => Effect.andThen(published(client), other.send("INCR", "runs")))
            )
            assert.deepInclude(outcomeOf(nested), { _tag: "Failure", sent: "unknown" })
            assert.strictEqual(runs, 8)
          })
        )
      }))

    test.effect("opens no circuit by a hundred commands whose connections broke at once", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({ url, policy: { retry: false, breaker: { consecutive: 2 } } })
        yield* redis.backend.warm
        yield* proxy.apply(Fault.forget)
        const lost = yield* Effect.replicateEffect(Effect.flip(redis.send("GET", "missing")), 100, {
          concurrency: "unbounded"
        })
        assert.isTrue(lost.every((error) => RedisError.isRedisError(error) && error.reason._tag === "ConnectionLost"))
        assert.deepInclude((yield* redis.backend.policy).circuit, { state: "closed", calls: 1, failures: 1 })
        yield* proxy.restore
        assert.isNull(yield* redis.send("GET", "missing"))
      }))

    test.effect("gets other times while it runs, on shared connections and on one's own", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({ url, policy: { retry: false, breaker: false } })
        yield* redis.backend.warm
        redis.backend.update?.({ timeout: "100 millis" })
        assert.deepInclude(redis.backend.limits, { timeout: Duration.millis(100), deadline: Duration.seconds(15) })
        const timeoutOf = (error: unknown) =>
          PolicyError.isPolicyError(error) && error.reason._tag === "AttemptTimeout"
            ? Duration.toMillis(error.reason.timeout)
            : undefined
        yield* Effect.scoped(Effect.gen(function*() {
          const own = yield* redis.reserve
          yield* proxy.blackHole
          assert.strictEqual(timeoutOf(yield* Effect.flip(redis.send("GET", "missing"))), 100)
          assert.strictEqual(timeoutOf(yield* Effect.flip(own.send("GET", "missing"))), 100)
          assert.strictEqual(timeoutOf(yield* Effect.flip(own.send("BLPOP", "missing", 0.05))), 150)
        }))
        assert.isUndefined(redis.backend.breaker)
      }))

    test.effect("is cut off by hand, and let through again", () =>
      Effect.gen(function*() {
        const { backend: { breaker }, send } = yield* open()
        assert.isDefined(breaker)
        yield* breaker.setMode("forcedOpen")
        const refused = yield* Effect.flip(send("GET", "missing"))
        assert.isTrue(PolicyError.isPolicyError(refused) && refused.reason._tag === "CircuitOpen")
        yield* breaker.setMode("automatic")
        assert.isNull(yield* send("GET", "missing"))
      }))
  })
})
