import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"

const DIAL = 20

const make = (state = { up: true }) =>
  Pool.make({
    name: "orders",
    acquire: Effect.andThen(
      Effect.sleep(DIAL),
      Effect.suspend(() => state.up ? Effect.succeed({}) : Effect.fail(new Error("refused")))
    ),
    size: { max: 8 },
    dial: { concurrency: 8 }
  })

describe("the detail of a pool", () => {
  it.effect("names the five who have held a connection the longest, the oldest first", () =>
    Effect.gen(function*() {
      const pool = yield* make()
      const fibers: Array<Fiber.Fiber<never, unknown>> = []
      for (let n = 1; n <= 7; n++) {
        fibers.push(yield* Effect.forkChild(Pool.use(pool, () => Effect.never, { label: `job ${n}` })))
        yield* TestClock.adjust("1 second")
      }
      const first = fibers[0] ?? assert.fail("there is none")
      yield* Fiber.interrupt(first)
      const { holders } = yield* Pool.detail(pool)
      assert.deepStrictEqual(holders.map(({ label }) => label), ["job 2", "job 3", "job 4", "job 5", "job 6"])
      // Each was dialled for, and held from then on.
      assert.deepStrictEqual(holders.map(({ age }) => Duration.toMillis(age)), [5980, 4980, 3980, 2980, 1980])
      yield* Fiber.interruptAll(fibers)
    }))

  it.effect("has the times of waits, holds and dials", () =>
    Effect.gen(function*() {
      const pool = yield* make()
      const borrow = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("300 millis")))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(borrow)
      const { times } = yield* Pool.detail(pool)
      const told = [times.wait, times.use, times.create].map(({ count, sum }) => [count, Math.round(sum * 1000)])
      assert.deepStrictEqual(told, [[1, DIAL], [1, 300], [1, DIAL]])
    }))

  it.effect("keeps what the last failed dial said, also when others have succeeded since", () =>
    Effect.gen(function*() {
      const state = { up: false }
      const pool = yield* make(state)
      assert.isUndefined((yield* Pool.detail(pool)).lastError)
      const borrow = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust(DIAL)
      state.up = true
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(borrow)
      const { lastError } = yield* Pool.detail(pool)
      assert.deepStrictEqual([lastError?.at, String(lastError?.error)], [DIAL, "Error: refused"])
    }))
})

describe("the changes of a pool", () => {
  it.effect("are its events without those of single borrows", () =>
    Effect.gen(function*() {
      const heard = yield* Effect.scoped(Effect.gen(function*() {
        const pool = yield* make()
        const listener = yield* Effect.forkDetach(Stream.runCollect(Pool.changes(pool)), { startImmediately: true })
        const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("100 millis")))
        const late = yield* Effect.forkChild(Effect.ignore(Pool.use(pool, () => Effect.void, { timeout: 1 })))
        yield* TestClock.adjust("1 second")
        yield* Fiber.joinAll([held, late])
        yield* Pool.pause(pool)
        yield* Effect.forkChild(Pool.drain(pool, 0))
        yield* TestClock.adjust("1 second")
        return listener
      }))
      const tags = (yield* Fiber.join(heard)).map(({ _tag }) => _tag)
      assert.includeMembers(tags, ["Dialed", "Paused", "Closed", "Draining", "Drained"])
      for (const tag of ["Acquired", "Returned", "Waited", "TimedOut", "Cancelled"] as const) {
        assert.notInclude(tags, tag)
      }
    }))
})
