import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { AmbientDeadline } from "../../src/internal/ambientDeadline.ts"
import * as Pool from "../../src/pool/Pool.ts"
import { isPoolError, PoolError } from "../../src/pool/PoolError.ts"
import { FakeServer, poolOf, Refused } from "./fakeServer.ts"

const failureOf = <A>(exit: Exit.Exit<A, PoolError>) => {
  assert.isTrue(Exit.isFailure(exit))
  if (Exit.isSuccess(exit)) throw new Error("unreachable")
  const error = Cause.squash(exit.cause)
  if (!isPoolError(error)) throw error
  return error.reason
}

describe("borrowing", () => {
  it.effect("lends the connection that was used last, and opens none while one is free", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 5 } })
      const ids = yield* Effect.forEach([1, 2, 3], () => Pool.use(pool, (c) => Effect.succeed(c.id)))
      assert.deepStrictEqual(ids, [1, 1, 1])
      assert.strictEqual((yield* Pool.stats(pool)).reused, 2)
    }))

  it.effect("returns the connection when the work fails, dies, throws or is interrupted", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      yield* Effect.exit(Pool.use(pool, () => Effect.fail("no")))
      yield* Effect.exit(Pool.use(pool, () => Effect.die("no")))
      yield* Effect.exit(Pool.use(pool, (): Effect.Effect<void> => {
        throw new Error("no")
      }))
      const hung = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
      yield* Fiber.interrupt(hung)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.used, stats.idle, stats.acquired, stats.opened], [0, 1, 4, 1])
    }))

  it.effect("keeps the error of the work as it was", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const error = { _tag: "Mine" } as const
      assert.strictEqual(yield* Effect.flip(Pool.use(pool, () => Effect.fail(error))), error)
    }))

  it.effect("holds what `get` borrows until the scope closes", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 2 } })
      yield* Effect.scoped(Effect.gen(function*() {
        const first = yield* Pool.get(pool)
        const second = yield* pool.pipe(Pool.get())
        assert.notStrictEqual(first, second)
        assert.strictEqual((yield* Pool.stats(pool)).used, 2)
      }))
      assert.strictEqual((yield* Pool.stats(pool)).used, 0)
    }))

  it.effect("closes an invalidated connection: an idle one at once, a used one when it comes back", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const idle = yield* Pool.use(pool, Effect.succeed)
      yield* Pool.invalidate(pool, idle)
      assert.strictEqual(server.open, 0)
      yield* Pool.use(pool, (c) =>
        Effect.gen(function*() {
          yield* pool.pipe(Pool.invalidate(c, "Cancelled"))
          assert.strictEqual(server.open, 1)
        }))
      assert.strictEqual(server.open, 0)
    }))
})

describe("one deadline (behaviour 2)", () => {
  it.effect("ends every borrow at its deadline when the server swallows dials", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "black hole"
      const pool = yield* poolOf(server, { size: { max: 10 } })
      const fibers = yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () => Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: "200 millis" })))
      )
      yield* TestClock.adjust("199 millis")
      assert.strictEqual((yield* Pool.stats(pool)).timedOut, 0)
      yield* TestClock.adjust("1 millis")
      for (const fiber of fibers) {
        const reason = failureOf(yield* Fiber.join(fiber))
        assert.strictEqual(reason._tag, "AcquireTimeout")
        if (reason._tag === "AcquireTimeout") assert.strictEqual(Duration.toMillis(reason.waited), 200)
      }
      assert.strictEqual((yield* Pool.stats(pool)).timedOut, 1000)
    }))

  it.effect("ends at the deadline also when the dial cannot be interrupted", () =>
    Effect.gen(function*() {
      const acquire = Effect.acquireRelease(Effect.sleep("1 minute"), () => Effect.void) // uninterruptible by default
      const pool = yield* Pool.make({ name: "p", acquire, size: { max: 1 }, dial: { timeout: "100 millis" } })
      const fiber = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: "1 second" })))
      yield* TestClock.adjust("1 second")
      const reason = failureOf(yield* Fiber.join(fiber))
      assert.strictEqual(reason._tag, "AcquireTimeout")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.opening, stats.closing], [0, 1]) // it keeps its slot: the cap is a promise
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Pool.stats(pool)).closing, 0)
    }))

  it.effect("is one deadline over a queue, a failed check and a dial", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 }, check: { test: server.ping, timeout: "300 millis" } })
      const held = yield* Effect.forkChild(Pool.use(pool, (c) => Effect.delay(Effect.succeed(c), "100 millis")))
      yield* TestClock.adjust("100 millis")
      const connection = yield* Fiber.join(held)
      yield* TestClock.adjust("10 seconds")
      connection.silent = true
      server.mode = "black hole"
      const fiber = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: "500 millis" })))
      yield* TestClock.adjust("499 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const reason = failureOf(yield* Fiber.join(fiber))
      assert.isTrue(reason._tag === "AcquireTimeout" && reason.phase === "dial")
    }))

  it.effect("takes the caller's deadline where that is earlier", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "black hole"
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const fiber = yield* Pool.use(pool, () => Effect.void).pipe(
        Effect.provideService(AmbientDeadline, 50), // TestClock starts at 0
        Effect.exit,
        Effect.forkChild
      )
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(failureOf(yield* Fiber.join(fiber))._tag, "AcquireTimeout")
    }))
})

describe("the error says why (behaviour 3)", () => {
  it.effect("queue: who holds the connections, for how long, and the counts", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* Pool.make({ name: "orders", acquire: server.acquire, size: { max: 1 } })
      const holder = Effect.fn("Reports.monthly")(() => Pool.use(pool, () => Effect.never, { label: "monthly" }))
      const held = yield* Effect.forkChild(holder(), { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      const fiber = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: "1 second" })))
      yield* TestClock.adjust("1 second")
      const exit = yield* Fiber.join(fiber)
      const reason = failureOf(exit)
      if (reason._tag !== "AcquireTimeout") return assert.fail(reason._tag)
      assert.strictEqual(reason.phase, "queue")
      assert.strictEqual(reason.pool, "orders")
      assert.deepStrictEqual(reason.oldestHolder, {
        age: Duration.seconds(4),
        label: "monthly",
        site: "Reports.monthly"
      })
      assert.strictEqual(reason.stats.used, 1)
      assert.strictEqual(reason.stats.max, 1)
      const message = Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : ""
      assert.include(message, "max 1")
      assert.include(message, "monthly")
      assert.include(message, "Look at what the oldest borrow is doing")
      yield* Fiber.interrupt(held)
    }))

  it.effect("queue: of several holders the one that has held longest, whatever was returned meanwhile", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 3 } })
      const hold = (label: string) =>
        Effect.forkChild(Pool.use(pool, () => Effect.never, { label }), { startImmediately: true })
      const first = yield* hold("first")
      yield* TestClock.adjust("1 second")
      const second = yield* hold("second")
      yield* TestClock.adjust("1 second")
      const third = yield* hold("third")
      yield* Fiber.interrupt(first)
      const fourth = yield* hold("fourth")
      const waiting = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: "1 second" })))
      yield* TestClock.adjust("1 second")
      const reason = failureOf(yield* Fiber.join(waiting))
      if (reason._tag !== "AcquireTimeout") return assert.fail(reason._tag)
      assert.strictEqual(reason.oldestHolder?.label, "second")
      assert.deepStrictEqual(reason.oldestHolder?.age, Duration.seconds(2))
      yield* Fiber.interruptAll([second, third, fourth])
    }))

  it.effect("dial: what the last one said", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const pool = yield* poolOf(server, { size: { max: 1 }, wait: { failFast: false, timeout: "2 seconds" } })
      const fiber = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void)))
      yield* TestClock.adjust("2 seconds")
      const reason = failureOf(yield* Fiber.join(fiber))
      if (reason._tag !== "AcquireTimeout") return assert.fail(reason._tag)
      assert.strictEqual(reason.phase, "dial")
      assert.instanceOf(reason.connectError, Refused)
      assert.isUndefined(reason.oldestHolder)
    }))

  it.effect("dial: that there was no answer at all", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "black hole"
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const fiber = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: "1 second" })))
      yield* TestClock.adjust("1 second")
      const reason = failureOf(yield* Fiber.join(fiber))
      assert.isTrue(reason._tag === "AcquireTimeout" && reason.phase === "dial" && reason.connectError === undefined)
    }))

  it.effect("check: that an idle connection does not answer", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 }, check: { test: server.ping } })
      const connection = yield* Pool.use(pool, Effect.succeed)
      connection.silent = true
      yield* TestClock.adjust("1 second")
      const fiber = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: "500 millis" })))
      yield* TestClock.adjust("500 millis")
      const reason = failureOf(yield* Fiber.join(fiber))
      assert.isTrue(reason._tag === "AcquireTimeout" && reason.phase === "check")
    }))

  it("makes errors that another copy of core knows", async () => {
    const copy = "../../src/pool/PoolError.ts?copy"
    const { PoolError: Other }: { readonly PoolError: typeof PoolError } = await import(copy)
    const error = new Other({ reason: { _tag: "Closed", pool: "p" } })
    assert.notInstanceOf(error, PoolError)
    assert.isTrue(isPoolError(error))
  })

  it("counts a full pool as nobody's fault and a failed dial as the server's", () => {
    // The outcome does not depend on them.
    const stats = { max: 1 } as Pool.Stats
    const timeout = (phase: "queue" | "dial") => ({
      _tag: "AcquireTimeout" as const,
      pool: "p",
      phase,
      waited: Duration.zero,
      stats,
      oldestHolder: undefined,
      connectError: undefined
    })
    assert.deepStrictEqual(new PoolError({ reason: timeout("queue") }).outcome, { _tag: "Ignored", sent: "no" })
    assert.deepStrictEqual(new PoolError({ reason: timeout("dial") }).outcome, { _tag: "Failure", sent: "no" })
    assert.deepStrictEqual(
      new PoolError({ reason: { _tag: "Revoked", pool: "p", why: "Drained", cause: undefined } }).outcome,
      { _tag: "Failure", sent: "unknown" }
    )
  })
})
