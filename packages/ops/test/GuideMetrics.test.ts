import * as Backends from "@breakwater/core/Backends"
import * as Pool from "@breakwater/core/Pool"
import { GuideMetrics } from "@breakwater/ops"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Metric, Scope } from "effect"
import { TestClock } from "effect/testing"
import { backend } from "./support.ts"

/** The used connections by kind and type of the pools. */
const active = Effect.map(Metric.snapshot, (metrics) =>
  Object.fromEntries(
    metrics.flatMap(({ attributes, id, state, type }) =>
      id === "connection_pool_active" && type === "Gauge"
        ? [[`${attributes?.["service"]} ${attributes?.["pool_type"]}`, state.value]]
        : []
    )
  ))

const isolated = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.suspend(() =>
    Effect.provideService(Effect.scoped(Backends.isolated(effect)), Metric.MetricRegistry, new Map())
  )

const using = (used: number) => Effect.succeed({ ...Pool.emptyStats, used })

describe("The metrics by the names of the guides", () => {
  it.effect("tell the pools of one kind apart by what each is, and sum up those that are the same", () =>
    isolated(Effect.gen(function*() {
      yield* backend("orders", { kind: "postgres", stats: using(1) })
      yield* backend("audit", { kind: "postgres", stats: using(2), poolType: "primary" })
      yield* backend("reports", { kind: "postgres", stats: using(4), poolType: "replica" })
      yield* backend("cache", { kind: "redis", stats: using(8), poolType: "eu-west" })
      yield* Layer.build(GuideMetrics.layer)
      assert.deepStrictEqual(yield* active, { "postgres primary": 3, "postgres replica": 4, "redis eu-west": 8 })
    })))

  it.effect("have a pool that comes later, and 0 for one that has left", () =>
    isolated(Effect.gen(function*() {
      yield* backend("orders", { kind: "postgres", stats: using(1) })
      yield* Layer.build(GuideMetrics.layer)
      const scope = yield* Scope.make()
      yield* Scope.provide(backend("reports", { kind: "postgres", stats: using(4), poolType: "replica" }), scope)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* active, { "postgres primary": 1, "postgres replica": 4 })
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* active, { "postgres primary": 1, "postgres replica": 0 })
    })))
})
