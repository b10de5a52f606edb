/** Nothing that core knows of a pool and its policies is missing from what the endpoints send. */
import { Health, Policy, Pool } from "@breakwater/core"
import { OpsHealth, OpsStats } from "@breakwater/ops"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import { HealthChecks } from "../src/internal/health.ts"
import { collect } from "../src/internal/stats.ts"
import { Windows } from "../src/internal/window.ts"
import { backend } from "./support.ts"

/** With everything that is there at times only: what core adds is missing here, and this does not compile. */
type Complete<T> = T extends Duration.Duration ? T
  : T extends object ? { readonly [K in keyof T]-?: Complete<Exclude<T[K], undefined>> }
  : T

const gauges = {
  circuit: { state: "half-open", mode: "automatic", calls: 1, failures: 2, slow: 3 },
  bulkhead: { running: 4, waiting: 5, permits: 6, keys: 7 },
  throttle: { requests: 8, accepts: 9 },
  rateLimit: { keys: 10, waiting: 11 },
  retryBudget: { balance: 12, share: 0.5 }
} as const
const limit = { limit: 13.5, running: 14, waiting: 15 }
const unloaded = Duration.millis(16)
const hedgeAfter = Duration.millis(17)

const counts = Policy.snapshot(Policy.make({ name: "orders" }))
const snapshot: Complete<Policy.Snapshot> = { ...counts, ...gauges, adaptiveLimit: { ...limit, unloaded }, hedgeAfter }

const shown = Effect.gen(function*() {
  const windows = new Windows()
  const checks = yield* HealthChecks.make
  return yield* collect({ service: "shop", startedAt: 0, phase: Effect.succeed(null), windows, checks })
})

describe("what the endpoints send", () => {
  it.effect("has every part of the snapshot of a policy", () =>
    Effect.gen(function*() {
      yield* backend("orders", { policy: Effect.succeed(snapshot) })
      const { backends } = yield* Schema.encodeEffect(OpsStats.Stats)(yield* shown)
      assert.deepStrictEqual(backends["orders"]?.policy, {
        ...counts,
        ...gauges,
        adaptiveLimit: { ...limit, unloaded_ms: 16 },
        hedgeAfter_ms: 17
      })
    }))

  it("has every number of a pool", () => {
    assert.sameMembers(Object.keys(OpsStats.Pool.fields), Object.keys(Pool.emptyStats))
  })

  it.effect("has of health all that bounds the calls at once", () =>
    Effect.gen(function*() {
      yield* backend("orders", { policy: Effect.succeed({ ...counts, bulkhead: gauges.bulkhead }) })
      yield* backend("stock", { policy: Effect.succeed(snapshot) })
      const pools = OpsHealth.poolsOf(yield* Health.check(), false)
      const { backends } = yield* Schema.encodeEffect(OpsHealth.Pools)(pools)
      assert.deepStrictEqual(backends["orders"]?.limit, { limit: 6, running: 4, waiting: 5, keys: 7 })
      assert.deepStrictEqual(backends["stock"]?.limit, limit)
    }))
})
