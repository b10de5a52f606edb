import { assert, describe, it } from "@effect/vitest"
import { Cause, type Duration, Effect, Exit, Fiber, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import { isPoolError, type PoolError } from "../../src/pool/PoolError.ts"
import { Dead, FakeServer, poolOf } from "./fakeServer.ts"

const errorOf = <A, E>(exit: Exit.Exit<A, E>): E | undefined =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined

const poolErrorOf = (exit: Exit.Exit<unknown, unknown>): PoolError => {
  const error = errorOf(exit)
  if (!isPoolError(error)) throw new Error("not a PoolError", { cause: error })
  return error
}

describe("clear (behaviour 20)", () => {
  it.effect("never lends again what was open, nor what was being dialled", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 3 } })
      const borrow = (hold: Duration.Input) => Pool.use(pool, (c) => Effect.as(Effect.sleep(hold), c.id))
      const held = yield* Effect.forkChild(borrow("10 millis"), { startImmediately: true })
      const idle = yield* Effect.forkChild(borrow("1 millis"), { startImmediately: true })
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(idle), 2)
      const reused = yield* Effect.forkChild(borrow("1 minute"), { startImmediately: true })
      server.dialTime = "50 millis"
      const dialling = yield* Effect.forkChild(borrow("1 millis"), { startImmediately: true })
      assert.deepStrictEqual([server.open, server.dialling], [2, 1])
      yield* Pool.clear(pool)
      assert.deepStrictEqual([server.open, server.dialling], [2, 1]) // in use, and the dial begun anew
      assert.strictEqual(server.dials, 4)
      yield* TestClock.adjust("9 millis")
      yield* Fiber.join(held)
      assert.strictEqual(server.open, 1)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(dialling), 3)
      yield* Fiber.join(reused)
      assert.deepStrictEqual([...server.connections.keys()], [3])
    }))

  it.effect("does the same work for 10,000 connections as for one, and leaves the rest for later turns", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const size = 10_000
      const pool = yield* poolOf(server, { size: { max: size } })
      yield* Effect.scoped(Effect.forEach(Array.from({ length: size }), () => Pool.get(pool), { discard: true }))
      assert.strictEqual((yield* Pool.stats(pool)).idle, size)
      yield* Pool.clear(pool)
      const stats = yield* Pool.stats(pool)
      assert.strictEqual(stats.idle, 0)
      assert.isAbove(stats.closing, size - 1000) // counted at once, closed in batches
      assert.isAtMost(server.sockets, size)
    }))

  it.effect("lets running work finish, and closes its connection on return", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const fiber = yield* Effect.forkChild(Pool.use(pool, (c) => server.query(c, "1 second")), {
        startImmediately: true
      })
      yield* Pool.clear(pool)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.strictEqual(server.open, 0)
    }))

  it.effect("cuts running work as Revoked, with how it failed, when told to interrupt", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const fiber = yield* Effect.forkChild(
        Effect.exit(Pool.use(pool, (c) => server.query(c, "1 second"))),
        { startImmediately: true }
      )
      yield* Pool.clear(pool, { interrupt: true })
      assert.strictEqual(server.open, 0)
      yield* TestClock.adjust("1 second")
      const error = poolErrorOf(yield* Fiber.join(fiber))
      assert.isTrue(error.reason._tag === "Revoked" && error.reason.why === "Cleared")
      assert.instanceOf(error.cause, Dead)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.revoked, stats.used], [1, 0])
    }))
})

describe("drain (behaviour 22)", () => {
  it.effect("fails waiters and newcomers as Closed, closes what is idle, and lets work finish", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 2 } })
      const work = yield* Effect.forkChild(Pool.use(pool, (c) => server.query(c, "2 seconds")), {
        startImmediately: true
      })
      const other = yield* Effect.forkChild(Pool.use(pool, (c) => server.query(c, "1 second")), {
        startImmediately: true
      })
      const waiter = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), { startImmediately: true })
      const draining = yield* Effect.forkChild(Pool.drain(pool, "5 seconds"), { startImmediately: true })
      assert.strictEqual((yield* Fiber.join(waiter)).reason._tag, "Closed")
      assert.strictEqual((yield* Effect.flip(Pool.use(pool, () => Effect.void))).reason._tag, "Closed")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(work), 1)
      yield* Fiber.join(other)
      const report = yield* Fiber.join(draining)
      assert.deepStrictEqual([report.cut.length, report.leftOpen, server.sockets], [0, 0, 0])
    }))

  it.effect("cuts at the deadline what has not finished, and lists it", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 2 } })
      const work = yield* Effect.forkChild(
        Effect.exit(Pool.use(pool, (c) => server.query(c, "1 hour"), { label: "report" })),
        { startImmediately: true }
      )
      const draining = yield* Effect.forkChild(Pool.drain(pool, "5 seconds"))
      yield* TestClock.adjust("5 seconds")
      const report = yield* Fiber.join(draining)
      assert.deepStrictEqual(report.cut.map((holder) => holder.label), ["report"])
      assert.strictEqual(server.sockets, 0)
      yield* TestClock.adjust("1 hour")
      const error = poolErrorOf(yield* Fiber.join(work))
      assert.isTrue(error.reason._tag === "Revoked" && error.reason.why === "Drained")
    }))

  it.effect("cuts at once with a deadline of zero", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const work = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
      const report = yield* Pool.drain(pool, 0)
      assert.deepStrictEqual([report.cut.length, report.leftOpen, server.sockets], [1, 0, 0])
      yield* Fiber.interrupt(work)
    }))

  it.effect("leaves no socket of a dial or of a check under way", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 2 }, check: { test: () => Effect.never } })
      yield* Pool.use(pool, () => Effect.void)
      yield* TestClock.adjust("1 second")
      server.dialTime = "1 minute"
      const borrows = yield* Effect.forkChild(
        Effect.all([Pool.use(pool, () => Effect.void), Pool.use(pool, () => Effect.void)].map(Effect.exit), {
          concurrency: 2
        }),
        { startImmediately: true }
      )
      const before = yield* Pool.stats(pool)
      assert.deepStrictEqual([before.checking, before.opening], [1, 1])
      const report = yield* Pool.drain(pool, "5 seconds")
      assert.deepStrictEqual([server.sockets, server.dialling, report.leftOpen], [0, 0, 0])
      yield* Fiber.join(borrows)
    }))

  it.effect("does not wait for a close that never ends", () =>
    Effect.gen(function*() {
      const acquire = Effect.acquireRelease(Effect.succeed(1), () => Effect.never)
      const pool = yield* Pool.make({ name: "p", acquire, size: { max: 2 } })
      yield* Pool.use(pool, () => Effect.void)
      const draining = yield* Effect.forkChild(Pool.drain(pool, "1 second"))
      yield* TestClock.adjust("6 seconds")
      assert.isDefined(draining.pollUnsafe())
      yield* Fiber.join(draining)
    }))

  it.effect("gives back after five seconds the slot of a connection that will not close", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.closeTime = "1 hour"
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const connection = yield* Pool.use(pool, Effect.succeed)
      yield* Pool.invalidate(pool, connection)
      const waiting = yield* Effect.forkChild(Pool.use(pool, (c) => Effect.succeed(c.id)))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(waiting), 2)
      server.closeTime = 0
    }))

  it.effect("happens when the scope ends, bounded, even with a leaked lease", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(poolOf(server, { size: { max: 2 } }), scope)
      const leak = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual(server.sockets, 0)
      yield* Fiber.interrupt(leak)
    }))

  it.effect("joins a drain under way, ends at the earlier deadline, and answers at once when all is over", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const leak = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
      const slow = yield* Effect.forkChild(Pool.drain(pool, "1 minute"))
      const fast = yield* Effect.forkChild(pool.pipe(Pool.drain("1 second")))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fast)
      yield* Fiber.join(slow)
      assert.strictEqual((yield* Pool.drain(pool, "1 second")).leftOpen, 0)
      assert.strictEqual((yield* Effect.flip(Pool.warm(pool))).reason._tag, "Closed")
      yield* Fiber.interrupt(leak)
    }))
})

describe("overflow (behaviour 26)", () => {
  it.effect("opens beyond keep under load, and closes on return what nobody waits for", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 5, max: 15, keep: 5 } })
      yield* Pool.warm(pool)
      assert.strictEqual(server.open, 5)
      const fibers = yield* Effect.forEach(
        Array.from({ length: 40 }),
        () => Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 second")))
      )
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(server.open, 15)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(server.open, 10) // the last ten of the forty
      yield* TestClock.adjust("2 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(server.open, 5)
      assert.strictEqual(server.opened, 15)
    }))
})
