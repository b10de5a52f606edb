import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Outcome from "../src/policy/Outcome.ts"
import * as OutlierEjection from "../src/policy/OutlierEjection.ts"

const hosts = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]

/** Tells of 100 calls to each host, of which so many failed, and lets the interval pass. */
const interval = (ejection: OutlierEjection.OutlierEjection, failures: Readonly<Record<string, number>>) =>
  Effect.gen(function*() {
    for (const host of hosts) {
      if (yield* OutlierEjection.isEjected(ejection, host)) continue
      for (let n = 0; n < 100; n++) {
        const outcome = n < (failures[host] ?? 0) ? Outcome.failure("yes") : Outcome.success
        yield* OutlierEjection.record(ejection, host, outcome)
      }
    }
    yield* TestClock.adjust("10 seconds")
    return yield* Effect.filter(hosts, (host) => OutlierEjection.isEjected(ejection, host))
  })

describe("outlier ejection", () => {
  it.effect("leaves out the one that fails more than the others, not before the interval is over", () =>
    Effect.gen(function*() {
      const ejection = OutlierEjection.make()
      for (const host of hosts) {
        for (let n = 0; n < 100; n++) {
          yield* OutlierEjection.record(ejection, host, host === "c" ? Outcome.overload("yes") : Outcome.success)
        }
      }
      yield* TestClock.adjust("9 seconds")
      assert.isFalse(yield* OutlierEjection.isEjected(ejection, "c"))
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* OutlierEjection.isEjected(ejection, "c"))
      assert.deepStrictEqual(OutlierEjection.snapshot(ejection), { keys: 10, ejected: ["c"], ejections: 1 })
    }))

  it.effect("leaves out nobody where all fail alike, where the difference is small, and where too little is known", () =>
    Effect.gen(function*() {
      const all = (count: number) => Object.fromEntries(hosts.map((host) => [host, count]))
      assert.deepStrictEqual(yield* interval(OutlierEjection.make(), all(50)), [])
      assert.deepStrictEqual(yield* interval(OutlierEjection.make(), { a: 9 }), [])
      assert.deepStrictEqual(yield* interval(OutlierEjection.make(), { a: 10 }), ["a"])
      assert.deepStrictEqual(yield* interval(OutlierEjection.make({ minimumCalls: 101 }), { a: 100 }), [])
      assert.deepStrictEqual(yield* interval(OutlierEjection.make({ minimumKeys: 11 }), { a: 100 }), [])
    }))

  it.effect("leaves out a tenth at once, the worst first, and one of fewer", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* interval(OutlierEjection.make(), { a: 69, b: 70 }), ["b"])
      const ejection = OutlierEjection.make()
      assert.deepStrictEqual(yield* interval(ejection, { a: 50 }), ["a"])
      assert.deepStrictEqual(yield* interval(ejection, { b: 50 }), ["a"])
      assert.deepStrictEqual(yield* interval(OutlierEjection.make({ maxEjected: 0.2 }), { a: 69, b: 70 }), ["a", "b"])
      assert.deepStrictEqual(yield* interval(OutlierEjection.make({ maxEjected: 0 }), { a: 60 }), ["a"])
    }))

  it.effect("lets it back after a time that grows with each ejection, up to a bound, and shrinks when it is well", () =>
    Effect.gen(function*() {
      const ejection = OutlierEjection.make({ ejectFor: { atMost: "80 seconds" } })
      const away = Effect.gen(function*() {
        assert.deepStrictEqual(yield* interval(ejection, { a: 50 }), ["a"])
        let seconds = 0
        while (yield* OutlierEjection.isEjected(ejection, "a")) {
          yield* TestClock.adjust("1 second")
          seconds++
        }
        return seconds
      })
      assert.deepStrictEqual([yield* away, yield* away, yield* away], [30, 60, 80])
      for (let n = 0; n < 2; n++) assert.deepStrictEqual(yield* interval(ejection, {}), [])
      assert.strictEqual(yield* away, 60)
    }))

  it.effect("does not count what says nothing, nor what ends while it is left out", () =>
    Effect.gen(function*() {
      const ejection = OutlierEjection.make({ minimumCalls: 100 })
      for (let n = 0; n < 200; n++) yield* OutlierEjection.record(ejection, "a", Outcome.ignored("no"))
      assert.strictEqual(OutlierEjection.snapshot(ejection).keys, 0)
      yield* interval(ejection, { a: 50 })
      yield* TestClock.adjust("29 seconds")
      yield* OutlierEjection.isEjected(ejection, "a")
      for (let n = 0; n < 200; n++) yield* OutlierEjection.record(ejection, "a", Outcome.failure("yes"))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* interval(ejection, { b: 0 }), [])
    }))

  it.effect("tells who is left out, by which measure and for how long, and who is back", () =>
    Effect.gen(function*() {
      const ejection = OutlierEjection.make()
      const heard = yield* Effect.forkChild(Stream.runCollect(Stream.take(OutlierEjection.events(ejection), 2)), {
        startImmediately: true
      })
      yield* Effect.yieldNow
      yield* interval(ejection, { a: 50 })
      yield* TestClock.adjust("30 seconds")
      yield* OutlierEjection.isEjected(ejection, "b")
      const [first, second] = yield* Fiber.join(heard)
      if (first?._tag !== "Ejected") return assert.fail(first?._tag)
      assert.deepInclude(first, { key: "a", failureRate: 0.5 })
      assert.closeTo(first.threshold, 0.05 + 1.9 * 0.15, 1e-9)
      assert.deepStrictEqual(second, { _tag: "Readmitted", key: "a" })
    }))

  it("refuses options out of range", () => {
    assert.throws(() => OutlierEjection.make({ maxEjected: 2 }), RangeError, /maxEjected.*2/)
    assert.throws(() => OutlierEjection.make({ minimumKeys: 1 }), RangeError, /minimumKeys.*1/)
    assert.throws(
      () => OutlierEjection.make({ ejectFor: { atMost: 1 } }),
      RangeError,
      /ejectFor\.atMost.*ejectFor\.first/
    )
  })
})
