import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import type { PoolEvent } from "../../src/pool/PoolEvent.ts"
import { FakeServer, poolOf } from "./fakeServer.ts"

const now = { startImmediately: true } as const

describe("resize (behaviour 23)", () => {
  it.effect("10 to 3 to 20 under load: the number falls as connections come back, and no borrow fails", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "3 millis"
      server.closeTime = "7 millis"
      const pool = yield* poolOf(server, { size: { max: 10 }, dial: { concurrency: 5 } })
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      yield* Effect.addFinalizer(() => {
        server.closeTime = 0
        return Fiber.interruptAll(fibers)
      })
      const load = (steps: number, look: () => void) =>
        Effect.forEach(Array.from({ length: steps }), () =>
          Effect.gen(function*() {
            fibers.push(yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("40 millis"))))
            yield* TestClock.adjust("5 millis")
            look()
          }), { discard: true })
      yield* load(50, () => assert.isAtMost(server.sockets, 10))
      assert.isAbove(server.open, 7) // 40 ms of work every 5 ms
      yield* Pool.resize(pool, { min: 0, max: 3 })
      let before = server.sockets
      yield* load(20, () => {
        assert.isAtMost(server.sockets, before)
        before = Math.max(3, server.sockets)
      })
      assert.strictEqual(server.sockets, 3)
      yield* load(50, () => assert.isAtMost(server.sockets, 3))
      const { waiting } = yield* Pool.stats(pool)
      assert.isAbove(waiting, 20)
      yield* Pool.resize(pool, { min: 0, max: 20 })
      assert.strictEqual(server.dialling, 5) // in this very turn
      yield* load(200, () => assert.isAtMost(server.sockets, 20))
      assert.strictEqual((yield* Pool.stats(pool)).waiting, 0)
      const exits = yield* Effect.forEach(
        fibers,
        (fiber) => Effect.andThen(TestClock.adjust("1 millis"), Fiber.await(fiber))
      )
      assert.isTrue(exits.every(Exit.isSuccess))
    }))

  it.effect("serves those who wait in the turn of the growth", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 }, dial: { concurrency: 9 } })
      const fibers = yield* Effect.forEach(
        Array.from({ length: 10 }),
        () => Effect.forkChild(Pool.use(pool, () => Effect.never), now)
      )
      yield* Pool.resize(pool, { min: 0, max: 10 })
      assert.strictEqual((yield* Pool.stats(pool)).used, 10)
      yield* Effect.forEach(fibers, Fiber.interrupt)
    }))

  it.effect("closes at once what is idle and too many, the longest idle first, and opens what is missing to min", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 6, max: 10 } })
      const events: Array<PoolEvent> = []
      yield* Effect.forkScoped(
        Stream.runForEach(Pool.events(pool), (event) => Effect.sync(() => events.push(event))),
        now
      )
      yield* Effect.yieldNow
      yield* TestClock.adjust("1 millis")
      const used = yield* Pool.use(pool, (c) => Effect.succeed(c.id))
      yield* Pool.resize(pool, { min: 1, max: 4, keep: 2 })
      assert.strictEqual(server.open, 2)
      assert.isTrue(server.connections.has(used))
      yield* pool.pipe(Pool.resize({ min: 5, max: 20 }))
      assert.strictEqual(server.open, 5)
      const { keep, max, min } = yield* Pool.stats(pool)
      assert.deepStrictEqual({ keep, max, min }, { keep: 20, max: 20, min: 5 })
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(
        events.flatMap((event) => event._tag === "Closed" ? [event.reason] : []),
        ["Resized", "Resized", "Resized", "Resized"]
      )
      assert.deepStrictEqual(events.filter((event) => event._tag === "Resized"), [
        { _tag: "Resized", min: 1, max: 4, keep: 2 },
        { _tag: "Resized", min: 5, max: 20, keep: 20 }
      ])
    }))

  it.effect("closes what was being dialled and is too many when it opens, although somebody waits", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "1 second"
      const pool = yield* poolOf(server, { size: { max: 4 }, dial: { concurrency: 4 } })
      const borrow = Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 minute"), { timeout: "1 hour" }), now)
      yield* borrow
      yield* TestClock.adjust("1 second")
      const rest = [yield* borrow, yield* borrow]
      assert.deepStrictEqual([server.open, server.dialling], [1, 2])
      yield* Pool.resize(pool, { min: 0, max: 1 })
      yield* TestClock.adjust("1 second")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([server.sockets, stats.used, stats.waiting], [1, 1, 2])
      for (let i = 0; i < 3; i++) yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(rest, Fiber.join)
      assert.strictEqual(server.peakSockets, 3)
    }))

  it.effect("lets the number fall with every return, and not below the new one however many return at once", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 7 }, dial: { concurrency: 7 } })
      const borrow = (millis: number) => Effect.forkChild(Pool.use(pool, () => Effect.sleep(millis)), now)
      const fibers = [yield* borrow(1000), yield* borrow(2000), yield* borrow(2000), yield* borrow(2000)]
      server.dialTime = "4 seconds"
      server.closeTime = "100 millis"
      fibers.push(yield* borrow(1000), yield* borrow(1000))
      yield* Effect.addFinalizer(() => {
        server.closeTime = 0
        return Fiber.interruptAll(fibers)
      })
      yield* Pool.resize(pool, { min: 0, max: 3 })
      assert.deepStrictEqual([server.open, server.dialling], [4, 2])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([server.open, server.dialling], [3, 2]) // although two wait
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([server.open, server.dialling], [1, 2])
      yield* TestClock.adjust("2 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(server.open, 3)
    }))

  it.effect("to fewer than wait for one another fails the newest of them at once", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 3 } })
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 second")), now)
      const nested = Pool.use(pool, () => Effect.delay(Pool.use(pool, () => Effect.void), "1 millis"))
      const first = yield* Effect.forkChild(nested, now)
      const second = yield* Effect.forkChild(Effect.flip(nested), now)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([first.pollUnsafe(), second.pollUnsafe()], [undefined, undefined])
      yield* Pool.resize(pool, { min: 0, max: 2 })
      assert.strictEqual((yield* Fiber.join(second)).reason._tag, "NestedAcquire")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(first)
      yield* Fiber.join(held)
    }))

  it.effect("is what a warm-up under way goes by", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "1 second"
      const pool = yield* poolOf(server, { size: { min: 10, max: 10 } })
      const warming = yield* Effect.forkChild(Pool.warm(pool), now)
      yield* Pool.resize(pool, { min: 2, max: 2 })
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(warming)
      assert.strictEqual(server.open, 2)
    }))

  it.effect("refuses sizes that are not allowed, by name and value, at the call", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ name: "p", acquire: Effect.succeed(1), size: { max: 5 } })
      assert.throws(() => Pool.resize(pool, { min: 0, max: 0 }), RangeError, /"max" is 0/)
      assert.throws(() => Pool.resize(pool, { min: 4, max: 3 }), RangeError, /"min" is 4.*from 0 to 3/)
      assert.throws(() => Pool.resize(pool, { min: 2, max: 3, keep: 1 }), RangeError, /"keep" is 1.*from 2 to 3/)
    }))
})
