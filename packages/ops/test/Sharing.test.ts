import * as Backends from "@breakwater/core/Backends"
import * as Pool from "@breakwater/core/Pool"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { HealthChecks } from "../src/internal/health.ts"
import { Windows } from "../src/internal/window.ts"
import { backend } from "./support.ts"

const run = <A, E>(effect: Effect.Effect<A, E, import("effect/Scope").Scope>) =>
  Effect.scoped(Backends.isolated(effect))

describe("health checks", () => {
  it.effect("of many who ask at once are one, and its answer is theirs for another 100 ms", () =>
    run(Effect.gen(function*() {
      let trips = 0
      const health = Effect.suspend(() => {
        trips++
        return Effect.as(Effect.sleep("20 millis"), { status: "healthy" as const, latency: Duration.millis(20) })
      })
      yield* backend("orders", { health })
      const checks = yield* HealthChecks.make
      const askers = yield* Effect.forEach(
        Array.from({ length: 50 }),
        () => Effect.forkChild(checks.critical, { startImmediately: true })
      )
      const [impatient, ...others] = askers
      // Who leaves does not take the answer of the others with him.
      if (impatient !== undefined) yield* Fiber.interrupt(impatient)
      yield* TestClock.adjust("20 millis")
      const reports = yield* Fiber.joinAll(others)
      assert.deepStrictEqual(new Set(reports.map(({ status }) => status)), new Set(["healthy"]))
      yield* TestClock.adjust("90 millis")
      yield* checks.critical
      assert.strictEqual(trips, 1)
      yield* TestClock.adjust("10 millis")
      const next = yield* Effect.forkChild(checks.critical, { startImmediately: true })
      yield* TestClock.adjust("20 millis")
      yield* Fiber.join(next)
      assert.strictEqual(trips, 2)
      assert.deepStrictEqual([...checks.last], [["orders", { at: 140, status: "healthy", latency_ms: 20 }]])
    })))
})

describe("percentiles", () => {
  it.effect("are of about the last ten seconds, and of nothing where nothing happened", () =>
    run(Effect.gen(function*() {
      const { pool } = yield* backend("orders")
      const [entry] = yield* Backends.list
      const watched = entry?.backend ?? assert.fail("there is none")
      const windows = new Windows()
      yield* Effect.forkScoped(windows.run)
      const now = Effect.map(Pool.detail(pool), ({ times }) => windows.quantiles(watched, times).use)
      const hold = (millis: number) =>
        Effect.gen(function*() {
          const borrow = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep(millis)))
          yield* TestClock.adjust(millis)
          yield* Fiber.join(borrow)
        })
      assert.isNull(yield* now)
      yield* hold(100)
      assert.strictEqual((yield* now)?.count, 1)
      yield* TestClock.adjust("4 seconds")
      yield* hold(400)
      const both = yield* now
      assert.strictEqual(both?.count, 2)
      assert.isAtLeast(both?.p99 ?? 0, 200)
      assert.isAtMost(both?.p50 ?? Infinity, 200)
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual((yield* now)?.count, 1)
      yield* TestClock.adjust("8 seconds")
      assert.isNull(yield* now)
    })))
})
