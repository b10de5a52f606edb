/** What `/stats` says of the size of a pool, from what the pool did of late. */
import { Backends, Pool } from "@breakwater/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
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

/** Three at once for ten seconds, each for 90 ms. */
const busy = (pool: Pool.Pool<string>) =>
  Effect.forkScoped(Effect.forEach(
    Array.from({ length: 330 }),
    () => Pool.use(pool, () => Effect.sleep("90 millis")),
    { concurrency: 3, discard: true }
  ))

describe("The size of a pool in /stats", () => {
  it.effect("is that of its load of late, by the mean of the hold", () =>
    Effect.gen(function*() {
      const { pool } = yield* backend("orders", { kind: "postgres" })
      const stats = yield* observe
      yield* TestClock.adjust("1 second")
      assert.isNull((yield* stats("orders"))?.sizing)
      yield* TestClock.adjust("20 seconds")
      assert.deepInclude((yield* stats("orders"))?.sizing, { limit: 3, change: "keep" })
      yield* busy(pool)
      yield* TestClock.adjust("9900 millis")
      const shown = yield* stats("orders")
      assert.strictEqual(shown?.times.use?.mean, 90)
      // Three are busy in the mean, for that is all there are: 3 + 2 √3.
      assert.deepInclude(shown?.sizing, { limit: 7, change: "grow" })
      assert.include(shown?.sizing?.findings[0]?.says, "each held for 90ms, keep 3")
      assert.deepStrictEqual(shown, JSON.parse(JSON.stringify(shown)))
    }).pipe(Effect.scoped, Backends.isolated))

  it.effect("knows what its backend knows of the server, and of the other processes", () =>
    Effect.gen(function*() {
      const situation = Effect.succeed({ server: { maxConnections: 20, reserved: 2 }, deployment: { replicas: 9 } })
      const { pool } = yield* backend("orders", { kind: "postgres", situation })
      const stats = yield* observe
      yield* TestClock.adjust("20 seconds")
      yield* busy(pool)
      yield* TestClock.adjust("9900 millis")
      const sizing = (yield* stats("orders"))?.sizing
      assert.deepInclude(sizing, { limit: 2, change: "shrink" })
      assert.include(
        sizing?.findings.find(({ kind }) => kind === "limit")?.says,
        "7 x 9 processes = 63 connections, and the server takes 20, 2 of them reserved"
      )
    }).pipe(Effect.scoped, Backends.isolated))

  it.effect("is of databases only", () =>
    Effect.gen(function*() {
      const { pool } = yield* backend("payments", { kind: "http" })
      const stats = yield* observe
      yield* TestClock.adjust("20 seconds")
      yield* busy(pool)
      yield* TestClock.adjust("9900 millis")
      assert.isNull((yield* stats("payments"))?.sizing)
    }).pipe(Effect.scoped, Backends.isolated))
})
