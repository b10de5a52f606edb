/** One test a fault that the pool once had; each names what used to happen. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Schedule, Scheduler, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/policy/CircuitBreaker.ts"
import * as Operation from "../../src/policy/Operation.ts"
import * as Policy from "../../src/policy/Policy.ts"
import * as Pool from "../../src/pool/Pool.ts"
import type { PoolError } from "../../src/pool/PoolError.ts"
import { type Connection, FakeServer, poolOf } from "./fakeServer.ts"

/** Hands over what a scheduled task throws, which would end the process. */
const catching = (onError: (error: unknown) => void): Scheduler.Scheduler =>
  new Scheduler.MixedScheduler("async", (run) => {
    const timer = setImmediate(() => {
      try {
        run()
      } catch (error) {
        onError(error)
      }
    })
    return () => clearImmediate(timer)
  })

/** Asked for the `at`th time, isAlive calls the pool before it answers; afterwards the numbers must still be true. */
const callingBack = (
  call: (pool: Pool.Pool<Connection>, connection: Connection) => Effect.Effect<unknown>,
  answer: boolean,
  at: number
) =>
  Effect.gen(function*() {
    const server = new FakeServer()
    let left = Infinity
    const isAlive = (connection: Connection): boolean => {
      if (--left !== 0) return true
      Effect.runFork(call(pool, connection))
      return answer
    }
    const pool: Pool.Pool<Connection> = yield* poolOf(server, {
      size: { max: 2 },
      check: { test: server.ping, isAlive }
    })
    yield* Effect.scoped(Effect.andThen(Pool.get(pool), Pool.get(pool)))
    yield* TestClock.adjust("1 second")
    left = at
    const borrows = yield* Effect.forEach([1, 2, 3, 4], () =>
      Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.yieldNow)), now))
    for (let i = 0; i < 15; i++) {
      yield* TestClock.adjust("1 second")
    }
    const stats = yield* Pool.stats(pool)
    const { checking, closing, idle, opening, used, waiting } = stats
    const when = `${answer} at ${at}: ${JSON.stringify(stats)}`
    assert.isTrue(
      borrows.every((fiber) =>
        fiber.pollUnsafe() !== undefined
      ),
      when
    )
    assert.deepStrictEqual({ used, opening, checking, closing, waiting }, noneOf, when)
    assert.strictEqual(idle, server.sockets, when)
    assert.strictEqual(stats.opened - stats.closed, server.sockets, when)
    assert.isAtMost(server.peakSockets, 2, when)
    yield* Pool.drain(pool, 0)
    assert.strictEqual(server.sockets, 0, when)
  })

const noneOf = { used: 0, opening: 0, checking: 0, closing: 0, waiting: 0 }

const now = { startImmediately: true } as const

describe("leases", () => {
  it.effect("get whose scope closes while it waits used to hold its connection for ever", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), now)
      const scope = yield* Scope.make()
      const got = yield* Effect.forkChild(Scope.provide(Pool.get(pool), scope), now)
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.interrupt(held)
      const exit = yield* Fiber.await(got)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.used, stats.idle], [0, 1])
      assert.isTrue(Exit.hasInterrupts(exit)) // not a connection that somebody else may have by now
    }))

  it.effect("get into a closed scope used to hold its connection for ever", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      const got = yield* Effect.forkChild(Scope.provide(Pool.get(pool), scope), now)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(got)))
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.used, stats.idle], [0, 1])
    }))

  it.effect("who was resumed in the middle of a clear used to be lent what it cleared", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 2, max: 3 }, start: "lazy" })
      server.dialTime = "1 second"
      const first = yield* Effect.forkChild(Pool.use(pool, () => Effect.void), now)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(first)
      const old = Array.from(server.connections.keys())
      assert.deepStrictEqual([old.length, server.dialling], [1, 1])
      const both = Effect.scoped(Effect.all([Pool.get(pool), Pool.get(pool)]))
      const warmed = yield* Effect.forkChild(Effect.andThen(Pool.warm(pool), both), now)
      server.dialTime = 0
      yield* Pool.clear(pool)
      const lent = yield* Fiber.join(warmed)
      assert.isFalse(lent.some((connection) => old.includes(connection.id)))
    }))

  it.effect("of two connections with the same item one used to be beyond invalidating", () =>
    Effect.gen(function*() {
      let open = 0
      const acquire = Effect.acquireRelease(
        Effect.sync(() => {
          open++
          return 7
        }),
        () => Effect.sync(() => open--)
      )
      const pool = yield* Pool.make({ name: "p", acquire, size: { max: 3 } })
      const three = Effect.scoped(Effect.all([Pool.get(pool), Pool.get(pool), Pool.get(pool)]))
      yield* three
      yield* Pool.invalidate(pool, 7)
      assert.strictEqual(open, 0)
      yield* three
      yield* Pool.use(pool, (item) => {
        assert.strictEqual(open, 3)
        return Pool.invalidate(pool, item)
      })
      assert.deepStrictEqual([open, (yield* Pool.stats(pool)).idle], [0, 0])
    }))

  it.effect("who was interrupted on a lease that had been cut used to fail as Revoked too, to the breaker's account", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ name: "p", acquire: new FakeServer().acquire, size: { max: 1 } })
      const breaker = CircuitBreaker.make({ window: 1 })
      const work = Policy.apply(
        Pool.use(pool, () => Effect.never),
        breaker,
        Operation.make("work", { idempotent: true })
      )
      const fiber = yield* Effect.forkChild(work, { startImmediately: true })
      yield* Pool.clear(pool, { interrupt: true })
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.strictEqual(Policy.snapshot(breaker).circuit?.state, "closed")
    }))
})

describe("strangers' mistakes", () => {
  it.effect("an observer of a waiting fiber that threw used to stop the pool for everybody", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const thrown: Array<unknown> = []
      const pool = yield* Effect.provideService(
        poolOf(server, { size: { max: 1 } }),
        Scheduler.Scheduler,
        catching((error) => thrown.push(error))
      )
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), now)
      const first = yield* Effect.forkChild(Pool.use(pool, () => Effect.void), now)
      const mistake = new Error("observer")
      first.addObserver(() => {
        throw mistake
      })
      const second = yield* Effect.forkChild(Pool.use(pool, () => Effect.void), now)
      assert.isTrue(Exit.hasInterrupts(yield* Effect.andThen(Fiber.interrupt(held), Fiber.await(held))))
      yield* Fiber.join(second)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(thrown, [mistake])
    }))

  it.effect("a timeout that is not allowed used to show only once the pool was busy, as a defect", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      for (const timeout of [-1, 0, "Infinity"] as const) {
        assert.throws(() => Pool.use(pool, () => Effect.void, { timeout }), RangeError, /timeout/)
        assert.throws(() => Pool.get(pool, { timeout }), RangeError, /timeout/)
      }
    }))

  it.effect("a priority of NaN used to be served before all others", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      assert.throws(() => Pool.use(pool, () => Effect.void, { priority: NaN }), RangeError, /"priority" is NaN/)
      assert.throws(() => Pool.get(pool, { priority: NaN }), RangeError, /"priority" is NaN/)
      yield* Pool.use(pool, () => Effect.void, { priority: -Infinity })
    }))

  it.effect("a backoff that died used to end all dialling", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      yield* poolOf(server, {
        size: { min: 1, max: 1 },
        dial: { backoff: Schedule.forever.pipe(Schedule.modifyDelay(() => Effect.die("no"))) }
      })
      server.mode = "accepts"
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(server.open, 1)
    }))

  it.effect("an observer of a warming fiber that threw used to end all of the pool's deadlines", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "black hole"
      const thrown: Array<unknown> = []
      const pool = yield* Effect.provideService(
        poolOf(server, { size: { max: 1 }, wait: { timeout: "1 second" } }),
        Scheduler.Scheduler,
        catching((error) => thrown.push(error))
      )
      const warming = yield* Effect.forkChild(Effect.exit(Pool.warm(pool)), now)
      const mistake = new Error("observer")
      warming.addObserver(() => {
        throw mistake
      })
      const borrow = yield* Effect.forkChild(
        Effect.flip(Pool.use(pool, () => Effect.void, { timeout: "2 seconds" })),
        now
      )
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(borrow)).reason._tag, "AcquireTimeout")
      assert.deepStrictEqual(thrown, [mistake])
    }))
})

describe("the end", () => {
  it.effect("warm used to succeed on a draining pool, and to wait on a closed one for what would not close", () =>
    Effect.gen(function*() {
      const acquire = Effect.acquireRelease(Effect.succeed(1), () => Effect.never)
      const pool = yield* Pool.make({ name: "p", acquire, size: { min: 1, max: 2 } })
      const held = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.never)), now)
      const draining = yield* Effect.forkChild(Pool.drain(pool, "1 second"), now)
      assert.strictEqual((yield* Effect.flip(Pool.warm(pool))).reason._tag, "Closed")
      yield* TestClock.adjust("6 seconds")
      yield* Fiber.join(draining)
      assert.strictEqual((yield* Effect.flip(Pool.warm(pool))).reason._tag, "Closed")
      yield* Fiber.interrupt(held)
    }))

  it.effect("warm used to wait for the end of a drain that began meanwhile", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 2, max: 2 }, start: "lazy" })
      const held = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.never)), now)
      server.mode = "black hole"
      yield* Pool.clear(pool)
      const warming = yield* Effect.forkChild(Effect.flip(Pool.warm(pool)), now)
      yield* Effect.forkChild(Pool.drain(pool, "1 minute"), now)
      assert.strictEqual((yield* Fiber.join(warming)).reason._tag, "Closed")
      yield* Fiber.interrupt(held)
    }))

  it.effect("a pool that closed at a deadline used to go on arming timers", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      let sleeping = 0
      const counting: Clock.Clock = {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
        currentTimeMillis: clock.currentTimeMillis,
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
        currentTimeNanos: clock.currentTimeNanos,
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) =>
          Effect.suspend(() => {
            sleeping++
            return Effect.ensuring(clock.sleep(duration), Effect.sync(() => sleeping--))
          })
      }
      const acquire = Effect.acquireRelease(Effect.sleep("1 minute"), () => Effect.never)
      const pool = yield* Effect.provideService(
        Pool.make({ name: "p", acquire, size: { min: 1, max: 2 } }),
        Clock.Clock,
        counting
      )
      const draining = yield* Effect.forkChild(Pool.drain(pool, "1 second"), now)
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual((yield* Fiber.join(draining)).leftOpen, 1)
      yield* TestClock.adjust("54 seconds") // the dial ends, and its close begins
      assert.strictEqual(sleeping, 0)
    }))

  it.effect("a drain without a grace period used to hang on a clock whose sleep of zero ends at once", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const held = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.never)), now)
      const draining = yield* Effect.forkChild(Pool.drain(pool, 0), now)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(draining)).cut.length, 1)
      yield* Fiber.interrupt(held)
    }))

  it.effect("a drain begun by a borrow just served used to be followed by the dials of those behind it", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "10 millis"
      const pool = yield* poolOf(server, { size: { max: 5 } })
      const drain = Effect.forkDetach(Pool.drain(pool, "1 second"), now)
      const first = yield* Effect.forkChild(Pool.use(pool, () => drain), now)
      yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void)), now))
      yield* TestClock.adjust("10 millis")
      yield* Fiber.join(yield* Fiber.join(first))
      assert.deepStrictEqual([server.dials, server.sockets], [1, 0])
    }))

  it.effect("a check that drained its own pool used to hold the drain up until its time was over", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const drain = Effect.suspend((): Effect.Effect<unknown> => Effect.forkDetach(Pool.drain(pool, "1 second"), now))
      const pool: Pool.Pool<Connection> = yield* poolOf(server, {
        size: { max: 2 },
        check: { test: () => Effect.andThen(drain, Effect.never) }
      })
      yield* Pool.use(pool, () => Effect.void)
      yield* TestClock.adjust("1 minute")
      yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void)), now)
      assert.deepStrictEqual([server.sockets, (yield* Pool.stats(pool)).checking], [0, 0])
    }))

  it.effect("an acquire that drained its own pool used to leave its dial running", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "black hole"
      const drain = Effect.suspend((): Effect.Effect<unknown> => Effect.forkDetach(Pool.drain(pool, "1 second"), now))
      const pool: Pool.Pool<Connection> = yield* Pool.make({
        name: "p",
        acquire: Effect.andThen(drain, server.acquire),
        size: { max: 5 }
      })
      yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void)), now)
      assert.deepStrictEqual([server.sockets, (yield* Pool.stats(pool)).opening], [0, 0])
    }))

  it.effect("a pool that failed to start used to keep what it had opened until the scope closed", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const acquire = Effect.suspend(() => {
        if (server.dials === 2) server.mode = "refuses"
        return server.acquire
      })
      yield* Effect.flip(Pool.make({ name: "p", acquire, size: { min: 5, max: 5 }, start: "fail-fast" }))
      assert.deepStrictEqual([server.opened, server.sockets], [2, 0])
    }))

  it.effect("of two drains at once only one used to report what was cut", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      const held = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.never, { label: "held" })), now)
      const drains = [
        yield* Effect.forkChild(Pool.drain(pool, "1 minute"), now),
        yield* Effect.forkChild(Pool.drain(pool, "1 second"), now)
      ]
      yield* TestClock.adjust("1 second")
      const reports = [...(yield* Fiber.joinAll(drains)), yield* Pool.drain(pool, "1 second")]
      for (const report of reports) {
        assert.deepStrictEqual(report.cut.map((holder) => holder.label), ["held"])
        assert.strictEqual(report.leftOpen, 0)
      }
      yield* Fiber.interrupt(held)
    }))
})

describe("dialling", () => {
  it("a pool that keeps nothing used to dial without pause while it was warmed: it is refused", () => {
    const options = { name: "p", acquire: Effect.succeed(1), size: { max: 1, keep: 0 } }
    assert.throws(() => Pool.make(options), RangeError, /size\.keep.*0.*from 1 to 1/)
  })

  it.effect("a server that accepts and hangs up used to be dialled without pause", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 2 }, check: { isAlive: () => false } })
      const borrow = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)))
      for (let i = 0; i < 100; i++) yield* TestClock.adjust("10 millis")
      assert.isAtMost(server.dials, 10)
      const error = yield* Fiber.join(borrow)
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.include(error.message, "dead when it opened")
    }))

  type Lose = (pool: Pool.Pool<Connection>, connection: Connection) => Effect.Effect<unknown, PoolError>
  const losses: Record<string, Lose> = {
    "invalidated while idle": (pool, connection) => Pool.invalidate(pool, connection),
    "invalidated by its user": (pool) => Pool.use(pool, (connection) => Pool.invalidate(pool, connection)),
    "found dead by the next borrow": (pool, connection) => {
      connection.dead = true
      return Effect.scoped(Effect.andThen(Pool.get(pool), Pool.get(pool)))
    }
  }
  for (const [loss, lose] of Object.entries(losses)) {
    it.effect(`what was ${loss} used to be replaced after its close only, though there was room`, () =>
      Effect.gen(function*() {
        const server = new FakeServer()
        server.closeTime = "4 seconds"
        const pool = yield* poolOf(server, {
          size: { min: 3, max: 5 },
          check: { isAlive: (connection) => !connection.dead }
        })
        yield* lose(pool, Array.from(server.connections.values()).at(-1)!)
        const { closing, idle } = yield* Pool.stats(pool)
        server.closeTime = 0
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual({ closing, idle }, { closing: 1, idle: 3 })
      }))
  }

  it.effect("a dial that could not be stopped used to be the only one for as long as it took, once the pool was cleared", () =>
    Effect.gen(function*() {
      let dials = 0
      const open = Effect.suspend(() => ++dials === 1 ? Effect.sleep("1 hour") : Effect.void)
      const acquire = Effect.acquireRelease(open, () => Effect.void) // acquires without being interruptible
      const pool = yield* Pool.make({ name: "p", acquire, size: { min: 1, max: 2 } })
      yield* Pool.clear(pool)
      yield* Pool.use(pool, () => Effect.void)
      assert.deepStrictEqual([dials, (yield* Pool.stats(pool)).closing], [2, 1])
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Pool.stats(pool)).closing, 0)
    }))

  it.effect("waiting behind a dial that cannot be stopped used to be called a full pool", () =>
    Effect.gen(function*() {
      const acquire = Effect.acquireRelease(Effect.sleep("1 minute"), () => Effect.void)
      const pool = yield* Pool.make({ name: "p", acquire, size: { max: 1 }, dial: { timeout: "100 millis" } })
      const borrow = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void, { timeout: "5 seconds" })))
      for (let i = 0; i < 50; i++) yield* TestClock.adjust("100 millis")
      const error = yield* Fiber.join(borrow)
      assert.isTrue(error.reason._tag === "AcquireTimeout" && error.reason.phase === "dial")
      assert.deepStrictEqual(error.outcome, { _tag: "Failure", sent: "no" })
      yield* TestClock.adjust("1 minute")
    }))
})

describe("callbacks into the pool", () => {
  it.effect("a listener used to hear of a change in the middle of it, and could break the cap by what it did", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 2 } })
      const onRevoked = Pool.events(pool).pipe(
        Stream.filter((event) => event._tag === "Revoked"),
        Stream.runForEach(() => Effect.exit(Pool.use(pool, () => Effect.void)))
      )
      const listener = yield* Effect.forkChild(onRevoked, now)
      yield* Effect.yieldNow
      const works = yield* Effect.forEach(
        [1, 2],
        () => Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.never)), now)
      )
      yield* Pool.clear(pool, { interrupt: true })
      for (let turn = 0; turn < 5; turn++) yield* Effect.yieldNow
      assert.strictEqual(server.peakSockets, 2)
      assert.strictEqual((yield* Pool.stats(pool)).idle, 1)
      yield* Fiber.interruptAll([...works, listener])
    }))

  for (const how of ["is accepted", "fails"]) {
    it.effect(`a dial that ${how} at once, after its acquire cleared the pool, used to be counted off twice`, () =>
      Effect.gen(function*() {
        let dials = 0
        const opened = how === "fails" ? Effect.fail("no") : Effect.succeed("connection")
        const pool: Pool.Pool<string> = yield* Pool.make({
          name: "p",
          acquire: Effect.suspend(() =>
            ++dials > 2 ? Effect.succeed("sound") : Effect.andThen(Pool.clear(pool), opened)
          ),
          size: { max: 2 }
        })
        const borrow = yield* Effect.forkChild(Pool.use(pool, Effect.succeed))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(borrow), "sound")
        const { closing, idle, opening } = yield* Pool.stats(pool)
        assert.deepStrictEqual({ closing, idle, opening }, { closing: 0, idle: 1, opening: 0 })
      }))
  }

  const calls: Record<string, (pool: Pool.Pool<Connection>, connection: Connection) => Effect.Effect<unknown>> = {
    invalidates: Pool.invalidate,
    clears: (pool) => Pool.clear(pool),
    cuts: (pool) => Pool.clear(pool, { interrupt: true }),
    drains: (pool) => Pool.drain(pool, "1 second"),
    borrows: (pool) => Effect.exit(Pool.use(pool, () => Effect.void)),
    warms: (pool) => Effect.exit(Pool.warm(pool))
  }
  for (const [name, call] of Object.entries(calls)) {
    it.effect(`an isAlive that ${name} used to break the pool's lists, its cap or its end`, () =>
      Effect.gen(function*() {
        for (const answer of [true, false]) {
          for (let at = 1; at <= 12; at++) yield* callingBack(call, answer, at)
        }
      }))
  }
})
