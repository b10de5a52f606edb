import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import { run } from "../support/steps.ts"
import { FakeServer, poolOf } from "./fakeServer.ts"

const now = { startImmediately: true } as const

describe("pause and resume (behaviour 21)", () => {
  it.effect("a restart of the server inside a pause costs no failed request", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "5 millis"
      // No check of what is idle: the pause alone must do it.
      const pool = yield* poolOf(server, { size: { min: 3, max: 10 } })
      const fibers: Array<Fiber.Fiber<number, unknown>> = []
      const load = (millis: number) =>
        Effect.forEach(Array.from({ length: millis / 10 }), () =>
          Effect.gen(function*() {
            fibers.push(yield* Effect.forkChild(Pool.use(pool, (c) => server.query(c, "20 millis"))))
            yield* TestClock.adjust("10 millis")
          }))
      yield* load(500)
      yield* Pool.pause(pool)
      yield* load(30)
      assert.strictEqual(server.sockets, 0) // the work has ended, and nothing is idle
      server.mode = "refuses"
      yield* load(5000)
      assert.strictEqual(server.sockets, 0)
      server.mode = "accepts"
      yield* Pool.resume(pool)
      yield* load(500)
      yield* run(3000)
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.strictEqual(exits.filter(Exit.isFailure).length, 0)
      assert.strictEqual(exits.length, 603)
      assert.isAtMost(server.peakSockets, 10)
    }))

  it.effect("nothing is dialled, not even for size.min, and nothing is lent that was open before", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 2, max: 4 } })
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 second")), now)
      server.dialTime = "1 second"
      const dialled = yield* Effect.forkChild(
        Effect.scoped(Effect.all([Pool.get(pool), Pool.get(pool)])),
        now
      )
      assert.deepStrictEqual([server.open, server.dialling], [2, 1])
      yield* Pool.pause(pool)
      yield* Pool.pause(pool)
      assert.deepStrictEqual([server.dialling, server.open], [0, 2])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(held)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.idle, stats.used, stats.waiting], [0, 1, 1])
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(server.dials, 3)
      yield* Pool.resume(pool)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(dialled)
      yield* TestClock.adjust("2 seconds")
      assert.isTrue([...server.connections.keys()].every((id) => id > 2))
      assert.strictEqual(server.open, 2)
    }))

  it.effect("borrows wait within their deadline, and the error says that the pool is paused", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 2 }, wait: { maxWaiting: 1 } })
      yield* Pool.pause(pool)
      const waiting = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), now)
      assert.strictEqual((yield* Effect.flip(Pool.use(pool, () => Effect.void))).reason._tag, "QueueFull")
      yield* TestClock.adjust("10 seconds")
      const { message, outcome, reason } = yield* Fiber.join(waiting)
      assert.isTrue(reason._tag === "AcquireTimeout" && reason.phase === "queue" && reason.paused)
      assert.include(message, "paused: resume it")
      assert.strictEqual(outcome._tag, "Ignored")
    }))

  it.effect("a server known to be down fails nobody who comes during the pause, and is dialled at once after it", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const pool = yield* poolOf(server, { size: { min: 1, max: 2 } })
      yield* run(2000)
      assert.strictEqual((yield* Effect.flip(Pool.use(pool, () => Effect.void))).reason._tag, "Unavailable")
      yield* Pool.pause(pool)
      const { dials } = server
      const waiting = yield* Effect.forkChild(Pool.use(pool, () => Effect.void), now)
      yield* run(5000)
      assert.strictEqual(server.dials, dials)
      assert.isUndefined(waiting.pollUnsafe())
      server.mode = "accepts"
      yield* Pool.resume(pool)
      yield* Fiber.join(waiting)
      assert.strictEqual(server.dials, dials + 1)
    }))

  it.effect("a dial that failed before, and is told of during the pause, does not hold off the dials after it", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const slowToClose = Effect.andThen(Effect.addFinalizer(() => Effect.sleep("20 millis")), server.acquire)
      const pool = yield* Pool.make({ name: "p", acquire: slowToClose, size: { max: 2 } })
      const waiting = yield* Effect.forkChild(Pool.use(pool, () => Effect.void), now)
      yield* Pool.pause(pool)
      yield* TestClock.adjust("20 millis")
      server.mode = "accepts"
      yield* Pool.resume(pool)
      assert.strictEqual(server.dials, 2)
      yield* Fiber.join(waiting)
      yield* Pool.clear(pool)
      yield* TestClock.adjust("20 millis")
    }))

  it.effect("a dial that failed just before does not hold off the dials after the pause", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const pool = yield* poolOf(server, { size: { max: 2 } })
      const waiting = yield* Effect.forkChild(Pool.use(pool, () => Effect.void), now)
      assert.strictEqual(server.dials, 1) // it holds off now
      server.mode = "accepts"
      yield* Pool.pause(pool)
      yield* Pool.resume(pool)
      assert.strictEqual(server.dials, 2)
      yield* Fiber.join(waiting)
    }))

  it.effect("beginning again, it dials as if anew: one at a time, then two", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 8 }, dial: { concurrency: 4 } })
      yield* Effect.scoped(Effect.all(Array.from({ length: 8 }, () => Pool.get(pool)), { concurrency: "unbounded" }))
      yield* Pool.pause(pool)
      server.dialTime = "10 millis"
      server.peakDialling = 0
      const fibers = yield* Effect.forEach(
        Array.from({ length: 8 }),
        () => Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 minute")), now)
      )
      yield* Pool.resume(pool)
      const seen: Array<number> = []
      for (let i = 0; i < 3; i++) {
        seen.push(server.dialling)
        yield* TestClock.adjust("10 millis")
      }
      assert.deepStrictEqual(seen, [1, 2, 4])
      yield* Effect.forEach(fibers, Fiber.interrupt)
    }))

  it.effect("a paused pool can be drained, and then neither pauses nor resumes", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 1, max: 2 } })
      yield* Pool.pause(pool)
      const waiting = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), now)
      yield* Pool.drain(pool, "1 second")
      assert.strictEqual((yield* Fiber.join(waiting)).reason._tag, "Closed")
      yield* Pool.resume(pool)
      yield* Pool.pause(pool)
      assert.deepStrictEqual([server.dials, server.sockets], [1, 0])
    }))

  it.effect("publishes each once", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const published = yield* Effect.scoped(Effect.gen(function*() {
        const pool = yield* poolOf(server, { size: { max: 2 } })
        const tags = yield* Effect.forkDetach(
          Stream.runCollect(Stream.map(Pool.events(pool), (event) => event._tag)),
          now
        )
        yield* Effect.yieldNow
        yield* Pool.resume(pool)
        yield* Pool.pause(pool)
        yield* Pool.pause(pool)
        yield* Pool.resume(pool)
        yield* Pool.resume(pool)
        return tags
      }))
      assert.deepStrictEqual(yield* Fiber.join(published), ["Paused", "Resumed", "Draining", "Drained"])
    }))
})
