/** Whole outages on virtual time: what callers see and what the server has to bear, from the first fault to the last. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import { run } from "../support/steps.ts"
import { type Connection, Dead, FakeServer, poolOf, Refused } from "./fakeServer.ts"

const many = <A, E, R>(count: number, effect: (index: number) => Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: count }), (_, index) => Effect.forkChild(effect(index)))

/** Refuses all dials beyond `most` in a second of the clock, as a server with a full backlog does. */
const atMostASecond = (
  most: number,
  acquire: Effect.Effect<Connection, Refused, Scope.Scope>
): Effect.Effect<Connection, Refused, Scope.Scope> => {
  const accepted: Array<number> = []
  return Effect.clockWith((clock) => {
    const now = clock.currentTimeMillisUnsafe()
    while (accepted.length > 0 && accepted[0]! <= now - 1000) accepted.shift()
    if (accepted.length >= most) return Effect.fail(new Refused({ dial: 0 }))
    accepted.push(now)
    return acquire
  })
}

describe("a server that returns after a minute (behaviour 11)", () => {
  const CALLERS = 10_000

  const outage = (failFast: boolean) =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "20 millis"
      const pool = yield* Pool.make({
        name: "p",
        acquire: atMostASecond(50, server.acquire),
        size: { max: 20 },
        wait: { failFast, maxWaiting: CALLERS },
        dial: { concurrency: 8 }
      })
      const served: Array<number> = []
      const now = Effect.clockWith((clock) => clock.currentTimeMillis)
      const once = Pool.use(pool, () => Effect.andThen(Effect.sleep("5 millis"), now))
      // Comes back ten seconds after a failure, like a user who presses the button again.
      const caller: Effect.Effect<void> = once.pipe(
        Effect.matchEffect({
          onSuccess: (at) => Effect.sync(() => served.push(at)),
          onFailure: () => Effect.andThen(Effect.sleep("10 seconds"), Effect.suspend(() => caller))
        }),
        Effect.asVoid
      )
      server.mode = "refuses"
      const callers = yield* many(CALLERS, (index) => Effect.andThen(Effect.sleep(index), caller))
      yield* run(60_000, 100)
      const dialsBefore = server.dials
      server.mode = "accepts"
      const dialling: Array<number> = []
      for (let i = 0; i < 200; i++) {
        yield* TestClock.adjust(5)
        dialling.push(server.dialling)
      }
      for (let i = 0; i < 3000 && served.length < CALLERS; i++) yield* TestClock.adjust(10)
      yield* Fiber.joinAll(callers)
      yield* Pool.drain(pool, 0)
      const failed = server.dials - server.opened
      return { dialsBefore, dialling, failed, served, stats: yield* Pool.stats(pool) }
    })

  for (const failFast of [true, false]) {
    it.effect(
      `serves within a second, and then everybody, without a second collapse, failFast ${failFast}`,
      () =>
        Effect.gen(function*() {
          const { dialling, dialsBefore, failed, served, stats } = yield* outage(failFast)
          assert.isAtMost(dialsBefore, 600)
          assert.isAtMost(served[0] ?? Infinity, 61_000)
          assert.deepStrictEqual([served.length, stats.acquired], [CALLERS, CALLERS])
          assert.isAtMost(failed, dialsBefore) // none failed that began after the return
          assert.isAtMost(stats.opened, 20)
          let most = 1
          for (const now of dialling) {
            assert.isAtMost(now, 2 * most)
            most = Math.max(most, now)
          }
          assert.isAtLeast(most, 4)
          assert.deepStrictEqual([stats.waiting, stats.used, stats.idle], [0, 0, 0])
        }),
      60_000
    )
  }
})

/** A caller every `every` milliseconds, each holding a connection for five. */
const load = <A>(pool: Pool.Pool<A>, callers: number, every: number, work: (item: A) => Effect.Effect<unknown, Dead>) =>
  many(callers, (index) =>
    Effect.sleep(index * every).pipe(
      Effect.andThen(Pool.use(pool, (item) => Effect.andThen(Effect.sleep("5 millis"), work(item)))),
      Effect.result
    ))

const failuresOf = <A, E>(results: ReadonlyArray<Result.Result<A, E>>): ReadonlyArray<E> =>
  results.flatMap((result) => Result.isFailure(result) ? [result.failure] : [])

describe("what a server can do to those who dial it", () => {
  it.effect("takes four seconds to accept: nobody fails, and nobody dials for himself", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "4 seconds"
      const pool = yield* poolOf(server, { size: { max: 10 } })
      const callers = yield* load(pool, 200, 10, () => Effect.void)
      yield* run(12_000, 5)
      assert.deepStrictEqual(failuresOf(yield* Fiber.joinAll(callers)), [])
      assert.isAtMost(server.dials, 3)
    }))

  it.effect("swallows dials: everybody is told at his deadline, and is served again once dials are answered", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "black hole"
      const pool = yield* poolOf(server, {
        size: { max: 10 },
        wait: { timeout: "1 second" },
        dial: { timeout: "500 millis" }
      })
      const now = Effect.clockWith((clock) => clock.currentTimeMillis)
      const lateness = Effect.gen(function*() {
        const began = yield* now
        const error = yield* Effect.flip(Pool.use(pool, () => Effect.void))
        return { error, waited: (yield* now) - began }
      })
      const callers = yield* many(100, (index) => Effect.andThen(Effect.sleep(index * 7), lateness))
      yield* run(4000, 1)
      for (const { error, waited } of yield* Fiber.joinAll(callers)) {
        assert.isAtMost(waited, 1000)
        assert.strictEqual(error.outcome._tag, "Failure")
        assert.include(String(error.cause), "No connection within 500ms")
      }
      assert.isAtMost(server.peakSockets, 1)
      server.mode = "accepts"
      yield* run(1000, 10) // what is left of the dial that was swallowed, and of the pause after it
      yield* Pool.use(pool, () => Effect.void)
    }))

  it.effect("accepts and hangs up: work fails as its driver says, within the limits of dials and connections", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 5 }, check: { isAlive: (connection) => !connection.dead } })
      const fail = (connection: Connection) =>
        Effect.suspend(() => {
          connection.dead = true
          return Effect.fail(new Dead())
        })
      const callers = yield* load(pool, 500, 1, fail)
      yield* run(5000, 5)
      const failures = failuresOf(yield* Fiber.joinAll(callers))
      assert.strictEqual(failures.length, 500)
      assert.isTrue(failures.every((error) => error instanceof Dead))
      assert.deepStrictEqual([server.peakSockets <= 5, server.peakDialling <= 2, server.sockets], [true, true, 0])
      const healthy = yield* load(pool, 50, 1, () => Effect.void)
      yield* run(1000, 5)
      assert.deepStrictEqual(failuresOf(yield* Fiber.joinAll(healthy)), [])
    }))

  it.effect("accepts two connections a second: the pool fills at that pace, and nobody who waits for it fails", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "10 millis"
      const pool = yield* Pool.make({
        name: "p",
        acquire: atMostASecond(2, server.acquire),
        size: { max: 10 },
        dial: { concurrency: 4 }
      })
      // More than two connections serve, so that the pool has a reason to grow.
      const callers = yield* load(pool, 1000, 2, () => Effect.void)
      yield* run(10_000, 5)
      assert.deepStrictEqual(failuresOf(yield* Fiber.joinAll(callers)), [])
      const { idle, opened } = yield* Pool.stats(pool)
      assert.strictEqual(idle, opened)
      assert.isAbove(opened, 2)
    }))

  it.effect("answers nothing any more on what it accepted, and refuses the rest: the deadline holds, and it recovers", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, {
        size: { min: 5, max: 5 },
        wait: { timeout: "2 seconds" },
        check: { test: server.ping }
      })
      yield* Pool.warm(pool)
      yield* TestClock.adjust("1 minute")
      server.mode = "refuses"
      for (const connection of server.connections.values()) connection.silent = true
      const callers = yield* load(pool, 20, 0, () => Effect.void)
      yield* run(2010, 10)
      assert.strictEqual(failuresOf(yield* Fiber.joinAll(callers)).length, 20)
      server.mode = "accepts"
      yield* run(5000, 10)
      const healthy = yield* load(pool, 100, 1, () => Effect.void)
      yield* run(1000, 5)
      assert.deepStrictEqual(failuresOf(yield* Fiber.joinAll(healthy)), [])
      assert.strictEqual((yield* Pool.stats(pool)).idle, 5)
    }))
})
