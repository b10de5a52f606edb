import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import { Dead, FakeServer, poolOf } from "./fakeServer.ts"

const now = { startImmediately: true } as const

describe("wait.maxHold", () => {
  it.effect("closes what is held for too long under the work, which fails as Revoked, and serves who waits", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 }, wait: { maxHold: "2 seconds" } })
      const slow = yield* Effect.forkChild(Effect.flip(Pool.use(pool, (c) => server.query(c, "3 seconds"))), now)
      const waiting = yield* Effect.forkChild(Pool.use(pool, (c) => Effect.succeed(c.id)), now)
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(waiting), 2)
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(slow)
      assert.isTrue(
        error._tag === "PoolError" && error.reason._tag === "Revoked" && error.reason.why === "HoldExceeded"
      )
      assert.instanceOf(error.cause, Dead)
      const { revoked, used } = yield* Pool.stats(pool)
      assert.deepStrictEqual([revoked, used], [1, 0])
    }))

  it.effect("cuts each lease at its own time, and none that came back before", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 5 }, wait: { maxHold: "1 second" } })
      const borrow = (hold: number) => Effect.forkChild(Effect.exit(Pool.use(pool, (c) => server.query(c, hold))), now)
      const fibers = []
      for (const hold of [500, 5000, 999, 5000, 100]) {
        fibers.push(yield* borrow(hold))
        yield* TestClock.adjust("100 millis")
      }
      const revoked = Effect.map(Pool.stats(pool), (stats) => stats.revoked)
      const seen: Array<number> = []
      for (const step of [599, 1, 199, 1]) { // the second was lent at 100, the fourth at 300
        yield* TestClock.adjust(step)
        seen.push(yield* revoked)
      }
      assert.deepStrictEqual(seen, [0, 1, 1, 2])
      yield* TestClock.adjust("5 seconds")
      const exits = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, true, false, true])
    }))

  it("is longer than zero", () => {
    const options = { name: "p", acquire: Effect.succeed(1), size: { max: 5 } }
    assert.throws(() => Pool.make({ ...options, wait: { maxHold: 0 } }), RangeError, /wait\.maxHold.*0/)
  })
})
