/** What `/stats` says of the time that connections are held while nothing runs on them. */
import { Activity, Backends, Pool } from "@breakwater/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { HealthChecks } from "../src/internal/health.ts"
import { collect } from "../src/internal/stats.ts"
import { Windows } from "../src/internal/window.ts"
import { backend } from "./support.ts"

const observe = Effect.gen(function*() {
  const windows = new Windows()
  yield* Effect.forkScoped(windows.run)
  const checks = yield* HealthChecks.make
  const sources = { service: "shop", startedAt: 0, phase: Effect.succeed(null), windows, checks }
  return (name: string) => Effect.map(collect(sources), ({ backends }) => backends[name])
})

describe("The held and idle time in /stats", () => {
  it.effect("is of about the last ten seconds, and a share of the hold", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({
        name: "orders",
        acquire: Effect.sync(Activity.make),
        size: { max: 1 },
        activity: (activity) => activity
      })
      yield* backend("orders", { stats: Pool.stats(pool), detail: Pool.detail(pool) })
      const stats = yield* observe
      const hold = (asking: number, thinking: number) =>
        Effect.gen(function*() {
          const work = (activity: Activity.Activity) =>
            Effect.andThen(Activity.during(Effect.sleep(asking), activity), Effect.sleep(thinking))
          const borrow = yield* Effect.forkChild(Pool.use(pool, work))
          yield* TestClock.adjust(asking + thinking)
          yield* Fiber.join(borrow)
        })
      const none = yield* stats("orders")
      assert.deepStrictEqual([none?.share_held_idle, none?.times.heldIdle], [null, null])
      yield* hold(100, 300)
      const first = yield* stats("orders")
      assert.approximately(first?.share_held_idle ?? NaN, 0.75, 1e-9)
      assert.deepInclude(first?.times.heldIdle, { mean: 300, count: 1 })
      yield* TestClock.adjust("20 seconds")
      yield* hold(400, 100)
      const later = yield* stats("orders")
      assert.approximately(later?.share_held_idle ?? NaN, 0.2, 1e-9)
      assert.deepInclude(later?.times.heldIdle, { mean: 100, count: 1 })
    }).pipe(Effect.scoped, Backends.isolated))

  it.effect("is null where it is not measured", () =>
    Effect.gen(function*() {
      const { pool } = yield* backend("payments", { kind: "http" })
      const stats = yield* observe
      yield* Pool.use(pool, () => Effect.void)
      const shown = yield* stats("payments")
      assert.deepStrictEqual([shown?.share_held_idle, shown?.times.heldIdle], [null, null])
    }).pipe(Effect.scoped, Backends.isolated))
})
