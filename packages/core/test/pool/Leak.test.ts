import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import type { Leaked, LeakReturned } from "../../src/pool/PoolEvent.ts"
import { FakeServer } from "./fakeServer.ts"

const now = { startImmediately: true } as const

/** A pool of three, and what it says of leaks. */
const watched = (after: Duration.Input | undefined) =>
  Effect.gen(function*() {
    const pool = yield* Pool.make({
      name: "p",
      acquire: new FakeServer().acquire,
      size: { max: 3 },
      ...(after === undefined ? {} : { leak: { after } })
    })
    const said: Array<Leaked | LeakReturned> = []
    yield* Effect.forkScoped(
      Stream.runForEach(Pool.events(pool), (event) =>
        Effect.sync(() => {
          if (event._tag === "Leaked" || event._tag === "LeakReturned") said.push(event)
        })),
      now
    )
    yield* Effect.yieldNow
    const hold = (label: string) => Effect.forkScoped(Pool.use(pool, () => Effect.never, { label }), now)
    const tags = () => said.map(({ _tag, holder }) => `${_tag} ${holder.label}`)
    return { pool, said, hold, tags }
  })

describe("a leak (behaviour 17)", () => {
  it.effect("is named once, with label, site, fiber and age, and again when it comes back", () =>
    Effect.gen(function*() {
      const { pool, said } = yield* watched("30 seconds")
      const borrow = Effect.fn("Reports.monthly")(() => Pool.use(pool, () => Effect.never, { label: "monthly" }))
      const fiber = yield* Effect.forkChild(borrow(), now)
      yield* TestClock.adjust("29 seconds")
      assert.lengthOf(said, 0)
      yield* TestClock.adjust("1 second")
      const holder = { age: Duration.seconds(30), label: "monthly", site: "Reports.monthly" }
      assert.deepStrictEqual(said, [{ _tag: "Leaked", holder, fiber: fiber.id }])
      yield* TestClock.adjust("30 seconds")
      assert.lengthOf(said, 1)
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 second")
      const returned = { ...holder, age: Duration.seconds(60) }
      assert.deepStrictEqual(said[1], { _tag: "LeakReturned", holder: returned, fiber: fiber.id })
    }))

  it.effect("is named within a second of the threshold, each of several, and none that came back in time", () =>
    Effect.gen(function*() {
      const { hold, tags } = yield* watched("10 seconds")
      const first = yield* hold("first")
      yield* TestClock.adjust("200 millis")
      yield* hold("second")
      yield* TestClock.adjust("200 millis")
      yield* hold("third")
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.interrupt(first)
      yield* hold("fourth")
      yield* TestClock.adjust("6 seconds") // 11.2 seconds after the second
      assert.deepStrictEqual(tags(), ["Leaked second", "Leaked third"])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(tags(), ["Leaked second", "Leaked third", "Leaked fourth"])
    }))

  it.effect("is named again when the same connection is lent and leaked once more", () =>
    Effect.gen(function*() {
      const { hold, tags } = yield* watched("10 seconds")
      for (const label of ["one", "two"]) {
        const fiber = yield* hold(label)
        yield* TestClock.adjust("11 seconds")
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 minute")
      }
      assert.deepStrictEqual(tags(), ["Leaked one", "LeakReturned one", "Leaked two", "LeakReturned two"])
    }))

  it.effect("is told to have come back also when its connection was cut under it", () =>
    Effect.gen(function*() {
      const { hold, pool, tags } = yield* watched("10 seconds")
      const fiber = yield* hold("cut")
      yield* TestClock.adjust("10 seconds")
      yield* Pool.clear(pool, { interrupt: true })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(tags(), ["Leaked cut"])
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(tags(), ["Leaked cut", "LeakReturned cut"])
    }))

  it.effect("is not looked for unless asked", () =>
    Effect.gen(function*() {
      const { hold, said } = yield* watched(undefined)
      yield* hold("long")
      yield* TestClock.adjust("10 days")
      assert.lengthOf(said, 0)
    }))

  it("refuses a threshold of zero", () => {
    const options = { name: "p", acquire: Effect.succeed(1), size: { max: 1 }, leak: { after: 0 } }
    assert.throws(() => Pool.make(options), RangeError, /leak\.after/)
  })
})
