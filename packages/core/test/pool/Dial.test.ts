import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Outcome from "../../src/policy/Outcome.ts"
import * as Pool from "../../src/pool/Pool.ts"
import { run } from "../support/steps.ts"
import { FakeServer, poolOf, Refused } from "./fakeServer.ts"

describe("opening connections", () => {
  it.effect("keeps the dial of a borrow that was given up, as an idle connection (behaviour 7)", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "200 millis"
      const pool = yield* poolOf(server, { size: { max: 5 } })
      const timedOut = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: "50 millis" })))
      const cancelled = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust("50 millis")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(timedOut)))
      yield* Fiber.interrupt(cancelled)
      yield* TestClock.adjust("150 millis")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.idle, stats.timedOut, stats.cancelled, server.dials], [1, 1, 1, 1])
    }))

  it.effect("prefers a returned connection to its own dial (behaviour 8)", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 5, max: 50 } })
      yield* Pool.warm(pool)
      server.dialTime = "150 millis"
      const took: Array<number> = []
      const request = Effect.gen(function*() {
        const before = yield* Clock.currentTimeMillis
        yield* Pool.use(pool, () => Effect.sleep("2 millis"))
        took.push((yield* Clock.currentTimeMillis) - before)
      })
      const fibers = yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.forkChild(request))
      yield* run(30, 1)
      yield* Effect.forEach(fibers, Fiber.join)
      const sorted = took.toSorted((a, b) => a - b)
      assert.isAtMost(sorted[47]!, 30)
      yield* run(300)
      assert.isAtMost(server.opened, 7)
    }))

  it.effect("dials one at a time until one has succeeded, then two, then four, never above the limit (behaviour 9)", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "100 millis"
      const pool = yield* poolOf(server, { size: { max: 50 }, dial: { concurrency: 4 } })
      const fibers = yield* Effect.forEach(
        Array.from({ length: 50 }),
        () => Effect.forkChild(Pool.use(pool, () => Effect.sleep("10 seconds")))
      )
      const seen: Array<number> = []
      for (let i = 0; i < 4; i++) {
        yield* TestClock.adjust("50 millis")
        seen.push(server.dialling)
        yield* TestClock.adjust("50 millis")
      }
      assert.deepStrictEqual(seen, [1, 2, 4, 4])
      yield* run(20_000, 100)
      assert.strictEqual(server.peakDialling, 4)
      yield* Effect.forEach(fibers, Fiber.join)
    }))

  it.effect("keeps size.min open, from the start and after connections died", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 3, max: 5 } })
      assert.strictEqual(server.open, 3)
      for (const connection of Array.from(server.connections.values())) {
        yield* Pool.invalidate(pool, connection, "Broken")
      }
      assert.strictEqual(server.open, 3)
      assert.strictEqual(server.opened, 6)
    }))

  it.effect("opens nothing before the first borrow when it starts lazily, and keeps min from then on", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 3, max: 5 }, start: "lazy" })
      assert.strictEqual(server.dials, 0)
      yield* Pool.use(pool, () => Effect.void)
      assert.strictEqual(server.open, 3)
    }))

  it.effect("fails to start, with the cause, when it starts fail-fast and the server refuses", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const error = yield* poolOf(server, { size: { max: 5 }, start: "fail-fast" }).pipe(Effect.scoped, Effect.flip)
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.instanceOf(error.cause, Refused)
    }))

  it.effect("is warm with size.min open, and with one where min is 0", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "100 millis"
      const pool = yield* poolOf(server, { size: { max: 5 } })
      const warming = yield* Effect.forkChild(Pool.warm(pool))
      yield* TestClock.adjust("99 millis")
      assert.isUndefined(warming.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(warming)
      assert.strictEqual(server.open, 1)
      const three = yield* poolOf(server, { size: { min: 3, max: 5 }, start: "lazy" })
      const warmingThree = yield* Effect.forkChild(Pool.warm(three))
      yield* run(190)
      assert.deepStrictEqual([warmingThree.pollUnsafe(), server.open], [undefined, 2])
      yield* run(10)
      yield* Fiber.join(warmingThree)
      assert.strictEqual(server.open, 4)
    }))

  it.effect("gives up warming at wait.timeout when the server swallows the dial", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "black hole"
      const pool = yield* poolOf(server, { size: { max: 5 }, wait: { timeout: "1 second" } })
      const warming = yield* Effect.forkChild(Effect.flip(Pool.warm(pool)))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(warming)).reason._tag, "AcquireTimeout")
    }))

  it("refuses options that are not allowed, by name and value, before anything runs", () => {
    const acquire = Effect.succeed(1)
    const options = { name: "p", acquire, size: { max: 5 } }
    assert.throws(() => Pool.make({ ...options, size: { max: 0 } }), RangeError, /size\.max.*0/)
    assert.throws(() => Pool.make({ ...options, size: { min: 6, max: 5 } }), RangeError, /size\.min.*6/)
    assert.throws(() => Pool.make({ ...options, size: { min: 2, max: 5, keep: 1 } }), RangeError, /size\.keep.*1/)
    assert.throws(() => Pool.make({ ...options, wait: { timeout: 0 } }), RangeError, /wait\.timeout/)
    assert.throws(() => Pool.make({ ...options, wait: { timeout: "Infinity" } }), RangeError, /wait\.timeout/)
    assert.throws(() => Pool.make({ ...options, wait: { maxWaiting: 1.5 } }), RangeError, /wait\.maxWaiting.*1\.5/)
    assert.throws(() => Pool.make({ ...options, dial: { concurrency: 0 } }), RangeError, /dial\.concurrency.*0/)
  })
})

describe("a dead server is cheap (behaviour 10)", () => {
  it.effect("is dialled by one prober, at most ten times a second, and everybody is told the cause at once", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const pool = yield* poolOf(server, { size: { max: 20 }, dial: { concurrency: 5 }, wait: { maxWaiting: 20_000 } })
      const fibers = yield* Effect.forEach(
        Array.from({ length: 10_000 }),
        () => Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)))
      )
      yield* run(1000)
      const errors = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(new Set(errors).size, 1) // one shared instance
      const reason = errors[0]!.reason
      assert.isTrue(reason._tag === "Unavailable" && reason.cause instanceof Refused)
      yield* run(10_000, 50)
      assert.strictEqual(server.peakDialling, 1)
      for (let i = 10; i < server.dialTimes.length; i++) {
        assert.isAbove(server.dialTimes[i]! - server.dialTimes[i - 10]!, 999)
      }
      const late = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), { startImmediately: true })
      assert.isDefined(late.pollUnsafe())
      const stats = yield* Pool.stats(pool)
      assert.strictEqual(stats.unavailable, 10_001)
    }))

  it.effect("is dialled by one prober also when it dies after many dials had succeeded", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "20 millis"
      const pool = yield* poolOf(server, {
        size: { min: 10, max: 20 },
        dial: { concurrency: 5 },
        wait: { failFast: false }
      })
      yield* run(500)
      assert.deepStrictEqual([server.open, server.peakDialling], [10, 5])
      server.mode = "refuses"
      yield* Pool.clear(pool)
      yield* run(20) // the dials that began before any had failed
      server.peakDialling = 0
      yield* run(3000)
      assert.strictEqual(server.peakDialling, 1)
    }))

  it.effect("has callers told for how long it has been down, however long the next dial is away", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const pool = yield* Pool.make({
        name: "p",
        acquire: server.acquire,
        size: { min: 1, max: 2 },
        dial: { backoff: Schedule.exponential("100 millis", 20) }
      })
      const told = Effect.flip(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust("2100 millis")
      const before = yield* told
      assert.deepInclude(before.reason, { _tag: "Unavailable", failedDials: 3, downFor: Duration.millis(2100) })
      assert.deepStrictEqual<Outcome.Outcome>(before.outcome, Outcome.heldOff)
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* told, before)
      yield* TestClock.adjust("1901 millis")
      const after = yield* told
      assert.deepInclude(after.reason, { failedDials: 3, downFor: Duration.seconds(5) })
      assert.deepStrictEqual(after.outcome, { ...before.outcome, lasting: true })
    }))

  it.effect("is down from when no connection is open, however long no other could be opened", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* Pool.make({ name: "p", acquire: server.acquire, size: { min: 1, max: 2 } })
      const held = yield* Effect.forkChild(
        Pool.use(
          pool,
          (connection) => Effect.andThen(Effect.sleep("9 seconds"), Pool.invalidate(pool, connection, "Broken"))
        )
      )
      server.mode = "refuses"
      const waiting = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)))
      yield* run(10_000)
      yield* Fiber.join(held)
      const { outcome, reason } = yield* Fiber.join(waiting)
      assert.isTrue(reason._tag === "Unavailable" && reason.failedDials > 3)
      assert.deepStrictEqual<Outcome.Outcome>(outcome, Outcome.heldOff)
    }))

  it.effect("is dialled within half a second of its return, and serves again", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const pool = yield* poolOf(server, { size: { max: 20 } })
      yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void)))
      yield* run(60_000, 100)
      server.mode = "accepts"
      const before = server.dials
      yield* run(500, 10)
      assert.isAbove(server.dials, before)
      yield* Pool.use(pool, () => Effect.void)
    }))

  it.effect("keeps callers waiting for their deadline where failFast is off, and then names the last dial's error", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const pool = yield* poolOf(server, { size: { max: 2 }, wait: { failFast: false, timeout: "3 seconds" } })
      const fiber = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)))
      yield* run(2990, 10)
      assert.isUndefined(fiber.pollUnsafe())
      yield* run(10, 10)
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason._tag, "AcquireTimeout")
      assert.instanceOf(error.cause, Refused)
    }))

  it.effect("does not count as dead while a connection is open", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 2 } })
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
      server.mode = "refuses"
      const waiting = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* run(5000, 10)
      assert.isUndefined(waiting.pollUnsafe())
      yield* Fiber.interrupt(held)
      yield* Fiber.join(waiting)
    }))

  it.effect("is dialled by the schedule given, whose last delay is kept when it ends", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      yield* poolOf(server, {
        size: { min: 1, max: 2 },
        dial: { backoff: Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 2 })) }
      })
      yield* run(9000, 100)
      assert.deepStrictEqual(server.dialTimes, [0, 1000, 3000, 5000, 7000, 9000])
    }))
})
