import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Metric, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Backend from "../../src/backend/Backend.ts"
import * as Backends from "../../src/backend/Backends.ts"
import { fakeBackend } from "./fakeBackend.ts"

const labels = Effect.map(Backends.list, (entries) => entries.map((entry) => entry.label))

describe("the registry of backends", () => {
  it.effect("has a backend from its registration to the end of its scope", () =>
    Backends.isolated(Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.flatMap(fakeBackend("orders"), Backends.register)
        assert.deepStrictEqual(yield* labels, ["orders"])
      }))
      assert.deepStrictEqual(yield* labels, [])
    })))

  it.effect("tells two of one name apart, and warns", () => {
    const warnings: Array<unknown> = []
    const capture = Logger.make<unknown, void>(({ message }) => void warnings.push(message))
    return Effect.gen(function*() {
      const first = yield* fakeBackend("orders")
      const second = yield* fakeBackend("orders")
      yield* Backends.register(first)
      yield* Backends.register(second)
      const entries = yield* Backends.list
      assert.deepStrictEqual(entries.map((entry) => [entry.label, entry.backend]), [
        ["orders", first],
        ["orders#2", second]
      ])
      assert.lengthOf(warnings, 1)
    }).pipe(Backends.isolated, Effect.provide(Logger.layer([capture])))
  })

  it.effect("is one per process unless isolated", () =>
    Effect.gen(function*() {
      yield* Effect.flatMap(fakeBackend("shared"), Backends.register)
      assert.include(yield* labels, "shared")
      assert.deepStrictEqual(yield* Backends.isolated(labels), [])
    }))

  it.effect("tells of those that come and leave", () =>
    Backends.isolated(Effect.gen(function*() {
      const seen: Array<ReadonlyArray<string>> = []
      const listener = yield* Backends.changes.pipe(
        Stream.runForEach((entries) => Effect.sync(() => seen.push(entries.map(({ label }) => label)))),
        Effect.forkChild({ startImmediately: true })
      )
      yield* Effect.yieldNow
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.flatMap(fakeBackend("orders"), Backends.register)
        yield* TestClock.adjust(1)
        yield* Effect.flatMap(fakeBackend("cache"), Backends.register)
        yield* TestClock.adjust(1)
      }))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([seen[0], seen.at(-1)], [[], []])
      assert.deepInclude(seen, ["orders"])
      assert.deepInclude(seen, ["orders", "cache"])
      yield* Fiber.interrupt(listener)
    })))

  it.effect("shows the operations of a backend as metrics for as long as it is there", () =>
    Backends.isolated(Effect.gen(function*() {
      const operations = Backend.makeOperations()
      const names = Effect.map(Metric.snapshot, (all) => all.map(({ id }) => id).filter((id) => !id.includes(".pool.")))
      const backend = yield* fakeBackend("orders", {
        kind: "postgres",
        detail: Effect.sync(() => ({
          times: { operation: operations.times.snapshot() },
          holders: [],
          failures: operations.failures,
          lastError: undefined
        }))
      })
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Backends.register(backend)
        yield* Effect.ignore(Backend.measured(Effect.fail("refused"), operations))
        const slow = yield* Effect.forkChild(Backend.measured(Effect.sleep("30 millis"), operations))
        yield* TestClock.adjust("30 millis")
        yield* Fiber.join(slow)
        yield* Fiber.interrupt(
          yield* Effect.forkChild(Backend.measured(Effect.never, operations), { startImmediately: true })
        )
        const metrics = yield* Metric.snapshot
        const duration = metrics.find(({ id }) => id === "db.client.operation.duration")
        if (duration?.type !== "Histogram") return assert.fail("there is no histogram")
        assert.deepInclude(duration.attributes, { "breakwater.backend": "orders", "db.system.name": "postgresql" })
        assert.deepStrictEqual([duration.state.count, Math.round(duration.state.sum * 1000)], [3, 30])
        assert.deepStrictEqual(duration.state.buckets.slice(2, 4), [[0.01, 2], [0.05, 3]])
        const failures = metrics.find(({ id }) => id === "breakwater.backend.failures")
        assert.deepStrictEqual(failures?.type === "Counter" ? failures.state.count : undefined, 1)
      }))
      assert.notInclude(yield* names, "db.client.operation.duration")
    })).pipe((test) => Effect.suspend(() => Effect.provideService(test, Metric.MetricRegistry, new Map()))))
})
