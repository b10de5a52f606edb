import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import { twoHands } from "../support/twoHands.ts"
import { type Connection, FakeServer, poolOf } from "./fakeServer.ts"

/** A pool with connections that were used this very moment, on a clock with two hands. */
const fresh = (count: number, check?: Pool.Options<Connection, never, never>["check"]) =>
  Effect.gen(function*() {
    const clock = yield* twoHands
    const server = new FakeServer()
    const pool = yield* Effect.provideService(
      poolOf(server, { size: { min: 1, max: count }, check: { test: server.ping, isAlive: (c) => !c.dead, ...check } }),
      Clock.Clock,
      clock
    )
    yield* Effect.scoped(Effect.all(Array.from({ length: count }, () => Pool.get(pool))))
    const pings = () => [...server.connections.values()].reduce((sum, c) => sum + c.pings, 0)
    const borrow = Pool.use(pool, (c) => c.silent ? Effect.die("lent a dead one") : Effect.succeed(c.id))
    return { clock, server, pool, pings, borrow }
  })

describe("a jump of the clock (behaviour 14)", () => {
  it.effect("of two hours between two borrows costs no error", () =>
    Effect.gen(function*() {
      const { borrow, clock, server } = yield* fresh(5)
      clock.suspend(2 * 60 * 60_000)
      for (const connection of server.connections.values()) connection.silent = true
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.forkChild(borrow))
      yield* TestClock.adjust("3 seconds")
      const ids = yield* Effect.forEach(fibers, Fiber.join)
      assert.isTrue(ids.every((id) => id > 5))
    }))

  it.effect("has every connection checked, and those that live are kept", () =>
    Effect.gen(function*() {
      const { borrow, clock, pings, server } = yield* fresh(5, { skipWithin: "1 hour" })
      clock.suspend(60_000)
      yield* borrow
      assert.deepStrictEqual([pings(), server.opened], [5, 5])
      yield* borrow
      assert.strictEqual(pings(), 5)
    }))

  it.effect("is noticed within ten seconds also when nobody borrows, and the dead are replaced", () =>
    Effect.gen(function*() {
      const { clock, pool, server } = yield* fresh(5)
      clock.suspend(60_000)
      for (const connection of server.connections.values()) connection.silent = true
      yield* TestClock.adjust("10 seconds")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Pool.stats(pool)).idle, 1) // size.min
      assert.isFalse([...server.connections.values()].some((c) => c.silent))
    }))

  it.effect("of a frozen process shows by a late look", () =>
    Effect.gen(function*() {
      const { borrow, clock, pings } = yield* fresh(3, { skipWithin: "1 hour" })
      clock.freeze(41_000)
      yield* borrow
      assert.strictEqual(pings(), 3)
    }))

  it.effect("is none where the clock is set by half a minute or set back, or nobody looked while nothing was open", () =>
    Effect.gen(function*() {
      const { borrow, clock, pings, pool, server } = yield* fresh(3, { skipWithin: "1 hour" })
      clock.suspend(30_000)
      yield* borrow
      clock.suspend(-3_600_000)
      yield* borrow
      clock.freeze(40_000)
      yield* borrow
      assert.strictEqual(pings(), 0)
      server.mode = "refuses"
      yield* Pool.clear(pool)
      yield* TestClock.adjust("1 hour")
      server.mode = "accepts"
      yield* TestClock.adjust("1 second")
      yield* borrow
      assert.strictEqual(pings(), 0)
    }))

  it.effect("casts doubt also on what was in use meanwhile: it is checked when it comes back", () =>
    Effect.gen(function*() {
      const { borrow, clock, pings, pool } = yield* fresh(1, { skipWithin: "1 hour" })
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("15 seconds")), { startImmediately: true })
      clock.suspend(60_000)
      yield* TestClock.adjust("14 seconds")
      assert.strictEqual(pings(), 0)
      const waiting = yield* Effect.forkChild(borrow, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(held)
      yield* Fiber.join(waiting)
      assert.strictEqual(pings(), 1)
      yield* borrow
      assert.strictEqual(pings(), 1)
    }))

  it.effect("counts as time that connections were idle and grew older", () =>
    Effect.gen(function*() {
      const { clock, pool, server } = yield* fresh(3)
      clock.suspend(2 * 60_000)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(server.open, 1) // size.min; the others were idle for too long
      clock.suspend(30 * 60_000)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([...server.connections.keys()], [4])
      assert.strictEqual((yield* Pool.stats(pool)).idle, 1)
    }))
})
