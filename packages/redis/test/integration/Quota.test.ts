/** A quota of two processes, which the same Redis counts. */
import { Operation, Policy, RateLimit } from "@breakwater/core"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RateLimiter, Redis as EffectRedis } from "effect/persistence"
import { open } from "../utils/server.ts"

/** What a process of its own would have: another pool, and another limiter. */
const process = Effect.gen(function*() {
  const { persistence } = yield* open()
  const store = Layer.provide(RateLimiter.layerStoreRedis(), Layer.succeed(EffectRedis.Redis, persistence))
  const limiter = yield* Effect.provide(RateLimiter.make, store)
  return RateLimit.shared(limiter, {
    name: "quota",
    limit: 3,
    interval: "10 minutes",
    maxWait: 0,
    storeTimeout: "20 seconds"
  })
})

describe.skipIf(!TestRedis.available)("A quota in Redis", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((test) => {
    test.effect("is one for all processes that use it", () =>
      Effect.gen(function*() {
        const [one, another] = [yield* process, yield* process]
        const call = (policy: typeof one) =>
          Effect.isSuccess(Policy.apply(Effect.void, policy, Operation.make("call", { idempotent: true })))
        const served = yield* Effect.forEach([one, another, one, another, one], call)
        assert.deepStrictEqual(served, [true, true, true, false, false])
        assert.strictEqual(Policy.snapshot(another).rateLimited, 1)
      }))
  })
})
