/** Policies around a pool, two at a time: what follows from the order in which they stand. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as OutlierEjection from "../src/policy/OutlierEjection.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as RetryBudget from "../src/policy/RetryBudget.ts"
import * as Pool from "../src/pool/Pool.ts"
import { type Connection, Dead, FakeServer } from "./pool/fakeServer.ts"
import { drawing } from "./support/calls.ts"

const read = Operation.make("read", { idempotent: true })
const write = Operation.make("write", { idempotent: false })

const pooled = (options: Partial<Omit<Pool.Options<Connection, unknown, never>, "acquire">> = {}) =>
  Effect.gen(function*() {
    const server = new FakeServer()
    const pool = yield* Pool.make({ name: "p", size: { max: 1 }, start: "lazy", ...options, acquire: server.acquire })
    const call = <A, E>(
      policy: Policy.Policy<unknown>,
      work: (connection: Connection) => Effect.Effect<A, E>,
      operation: Operation.Operation = read
    ) =>
      Policy.run(policy, operation, (attempt) => Pool.use(pool, (connection) => attempt(work(connection)))).pipe(
        drawing(0)
      )
    /** Takes a connection, and keeps it as long as the given effect runs. */
    const holding = <A, E, R>(self: Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(
        Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true }),
        () => self,
        Fiber.interrupt
      )
    /** Has the server refuse, and the pool notice. */
    const down = Effect.gen(function*() {
      server.mode = "refuses"
      const fiber = yield* begin(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(tagOf(yield* Fiber.join(fiber)), "Unavailable")
    })
    return { server, pool, call, holding, down }
  })

const begin = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(Effect.exit(effect), { startImmediately: true })

const reasonOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  const error: unknown = Option.getOrThrow(Exit.findErrorOption(exit))
  return typeof error === "object" && error !== null && "reason" in error ? error.reason : error
}

const tagOf = (exit: Exit.Exit<unknown, unknown>) => String(Reflect.get(Object(reasonOf(exit)), "_tag"))

const circuit = (policy: Policy.Policy<unknown>) => Policy.snapshot(policy).circuit
const balance = (policy: Policy.Policy<unknown>) => Policy.snapshot(policy).retryBudget?.balance

describe("a circuit breaker around a pool", () => {
  it.effect("does not count a full queue, nor a wait in it that was too long", () =>
    Effect.gen(function*() {
      const { call, holding } = yield* pooled({ wait: { timeout: "1 second", maxWaiting: 1 } })
      const policy = Policy.make({ breaker: {} })
      yield* holding(Effect.gen(function*() {
        const waiting = yield* begin(call(policy, () => Effect.void))
        assert.strictEqual(tagOf(yield* Effect.exit(call(policy, () => Effect.void))), "QueueFull")
        yield* TestClock.adjust("1 second")
        assert.deepInclude(reasonOf(yield* Fiber.join(waiting)), { _tag: "AcquireTimeout", phase: "queue" })
      }))
      assert.deepInclude(circuit(policy), { calls: 0, failures: 0 })
    }))

  it.effect("counts failures to connect, and opens", () =>
    Effect.gen(function*() {
      const { call, server } = yield* pooled({ wait: { timeout: "1 second", failFast: false } })
      const policy = Policy.make({ breaker: { consecutive: 2, openFor: "1 hour" } })
      server.mode = "refuses"
      for (let n = 0; n < 2; n++) {
        const fiber = yield* begin(call(policy, () => Effect.void))
        yield* TestClock.adjust("1 second")
        assert.deepInclude(reasonOf(yield* Fiber.join(fiber)), { _tag: "AcquireTimeout", phase: "dial" })
      }
      assert.strictEqual(circuit(policy)?.state, "open")
    }))

  it.effect("leaves it to the pool to hold callers off while its server is down", () =>
    Effect.gen(function*() {
      const { call, down, server } = yield* pooled()
      const policy = Policy.make({ breaker: { consecutive: 1, openFor: "1 hour" } })
      yield* down
      for (let n = 0; n < 100; n++) {
        assert.strictEqual(tagOf(yield* Effect.exit(call(policy, () => Effect.void))), "Unavailable")
      }
      assert.deepInclude(circuit(policy), { state: "closed", calls: 0 })
      server.mode = "accepts"
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Effect.exit(call(policy, () => Effect.void)), Exit.void)
    }))

  it.effect("keeps callers from the pool while it is open", () =>
    Effect.gen(function*() {
      const { call, pool } = yield* pooled()
      const policy = Policy.make({ breaker: { window: 1, openFor: "1 hour" } })
      yield* Effect.exit(call(policy, () => Effect.fail(new Dead())))
      const { acquired } = yield* Pool.stats(pool)
      assert.strictEqual(tagOf(yield* Effect.exit(call(policy, () => Effect.void))), "CircuitOpen")
      assert.strictEqual((yield* Pool.stats(pool)).acquired, acquired)
    }))
})

describe("a retry around a pool", () => {
  it.effect("repeats no full queue and no wait in it that was too long, and pays for neither", () =>
    Effect.gen(function*() {
      const { call, holding } = yield* pooled({ wait: { timeout: "1 second", maxWaiting: 1 } })
      const policy = Policy.make({ retry: { times: 3 } })
      yield* holding(Effect.gen(function*() {
        const waiting = yield* begin(call(policy, () => Effect.void))
        assert.strictEqual(tagOf(yield* Effect.exit(call(policy, () => Effect.void))), "QueueFull")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(tagOf(yield* Fiber.join(waiting)), "AcquireTimeout")
      }))
      assert.deepInclude(Policy.snapshot(policy), { retries: 0, attempts: 2 })
      assert.strictEqual(balance(policy), 10)
    }))

  it.effect("repeats a failure to connect for every operation: nothing was sent", () =>
    Effect.gen(function*() {
      const { call, server } = yield* pooled({ wait: { timeout: "1 second", failFast: false } })
      const policy = Policy.make({ retry: { times: 1, schedule: Schedule.spaced(1) } })
      server.mode = "refuses"
      const fiber = yield* begin(call(policy, ({ id }) => Effect.succeed(id), write))
      yield* TestClock.adjust("1 second")
      server.mode = "accepts"
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.succeed(1))
      assert.strictEqual(Policy.snapshot(policy).retries, 1)
    }))

  it.effect("comes again for whom the pool holds off while its server is down, and pays nothing for it", () =>
    Effect.gen(function*() {
      const { call, down, server } = yield* pooled()
      const budget = RetryBudget.make({ perSecond: 1, burst: 1, share: 0 })
      const policy = Policy.make({ retry: { times: 3, schedule: Schedule.spaced("1 second"), budget } })
      yield* down
      const fibers = yield* Effect.forEach(
        Array.from({ length: 100 }),
        () => begin(call(policy, ({ id }) => Effect.succeed(id), write))
      )
      yield* TestClock.adjust("1900 millis")
      server.mode = "accepts"
      yield* TestClock.adjust("3 seconds")
      for (const fiber of fibers) assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.succeed(1))
      assert.isAtLeast(Policy.snapshot(policy).retries, 200)
      assert.strictEqual(balance(policy), 1)
    }))

  it.effect("does not come again where the server has been down for long: its callers are told at once", () =>
    Effect.gen(function*() {
      const { call, down } = yield* pooled()
      const policy = Policy.make({ retry: { times: 3 } })
      yield* down
      yield* TestClock.adjust("10 seconds")
      const [took, exit] = yield* Effect.timed(Effect.exit(call(policy, () => Effect.void)))
      assert.strictEqual(tagOf(exit), "Unavailable")
      assert.strictEqual(Duration.toMillis(took), 0)
      assert.deepInclude(Policy.snapshot(policy), { attempts: 1, retries: 0 })
    }))

  it.effect("repeats what failed on a connection only for what is idempotent, and says why not otherwise", () =>
    Effect.gen(function*() {
      const { call } = yield* pooled()
      const policy = Policy.make({ retry: { times: 1 } })
      for (const [operation, attempts] of [[read, 2], [write, 1]] as const) {
        const before = Policy.snapshot(policy).attempts
        const fiber = yield* begin(call(policy, () => Effect.fail(new Dead()), operation))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        assert.strictEqual(Policy.snapshot(policy).attempts - before, attempts)
      }
      assert.strictEqual(Policy.snapshot(policy).retriesSkipped, 1)
    }))

  it.effect("gives its connection back while it waits for the next attempt", () =>
    Effect.gen(function*() {
      const { call, pool } = yield* pooled()
      const policy = Policy.make({ retry: { times: 1, schedule: Schedule.spaced("1 second") } })
      const fiber = yield* begin(call(policy, () => Effect.fail(new Dead())))
      yield* TestClock.adjust("500 millis")
      assert.deepInclude(yield* Pool.stats(pool), { used: 0 })
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
    }))
})

describe("a deadline around a pool", () => {
  it.effect("ends the wait for a connection, of which the pool says who holds it", () =>
    Effect.gen(function*() {
      const { call, holding, pool } = yield* pooled({ wait: { timeout: "1 minute" } })
      const policy = Policy.make({ deadline: "2 seconds" })
      const [took, error] = yield* holding(Effect.gen(function*() {
        const fiber = yield* begin(Effect.timed(Effect.flip(call(policy, () => Effect.void, write))))
        yield* TestClock.adjust("1 hour")
        return yield* Effect.flatten(Fiber.join(fiber))
      }))
      assert.strictEqual(Duration.toMillis(took), 2000)
      assert.deepInclude(reasonOf(Exit.fail(error)), { _tag: "AcquireTimeout", waited: Duration.seconds(2) })
      assert.deepInclude(yield* Pool.stats(pool), { waiting: 0 })
    }))
})

describe("a timeout and a pool", () => {
  it.effect("begins after the borrow: a queue is not taken for a slow server", () =>
    Effect.gen(function*() {
      const { call, pool } = yield* pooled()
      const policy = Policy.make({ timeout: "1 second", breaker: {} })
      yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("5 seconds")), { startImmediately: true })
      const fiber = yield* begin(call(policy, () => Effect.sleep("900 millis")))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.void)
      assert.deepInclude(circuit(policy), { calls: 1, failures: 0 })
    }))

  it.effect("does not give a session back to others whose work it has cut", () =>
    Effect.gen(function*() {
      const { call, pool } = yield* pooled({ cancel: () => Effect.void })
      const policy = Policy.make({ timeout: "1 second" })
      const fiber = yield* begin(call(policy, () => Effect.never))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(tagOf(yield* Fiber.join(fiber)), "AttemptTimeout")
      assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 2)
    }))
})

describe("a bulkhead in front of a pool", () => {
  it.effect("has no queue of its own unless asked for one: the pool's is the only one", () =>
    Effect.gen(function*() {
      const { call, pool } = yield* pooled()
      const policy = Policy.make({ bulkhead: { permits: 2 } })
      const fibers = yield* Effect.forEach([1, 2], () => begin(call(policy, () => Effect.sleep("1 second"))))
      assert.strictEqual(tagOf(yield* Effect.exit(call(policy, () => Effect.void))), "BulkheadFull")
      assert.deepInclude(Policy.snapshot(policy).bulkhead, { running: 2, waiting: 0 })
      assert.deepInclude(yield* Pool.stats(pool), { used: 1, waiting: 1 })
      yield* TestClock.adjust("1 minute")
      for (const fiber of fibers) assert.isTrue(Exit.isSuccess(yield* Fiber.join(fiber)))
    }))

  it("is there only when asked for", () => {
    for (const preset of [Policy.standard, Policy.read, Policy.write, Policy.bestEffort]) {
      assert.isUndefined(Policy.snapshot(Policy.make<Policy.Options>(preset)).bulkhead)
    }
  })
})

describe("a recovery in a retry around a pool", () => {
  it.effect("100 callers on one broken pool cause one clear, and all are served after it", () =>
    Effect.gen(function*() {
      const { call, pool, server } = yield* pooled({ size: { max: 10 } })
      let clears = 0
      const clear = Effect.sync(() => clears++).pipe(Effect.andThen(Effect.sleep(20)), Effect.andThen(Pool.clear(pool)))
      const policy = Policy.make({
        retry: { times: 2 },
        recover: { when: (error) => error instanceof Dead, clear }
      })
      // As a backend does: a connection that turns out to be dead is not given back.
      const ask = (connection: Connection) =>
        Effect.sleep(5).pipe(
          Effect.andThen(server.ping(connection)),
          Effect.onError(() => Pool.invalidate(pool, connection))
        )
      const hundred = Effect.gen(function*() {
        const fibers = yield* Effect.forEach(Array.from({ length: 100 }), () => begin(call(policy, ask)))
        yield* TestClock.adjust("1 minute")
        return yield* Effect.forEach(fibers, Fiber.join)
      })
      assert.isTrue((yield* hundred).every(Exit.isSuccess)) // and the budget has saved something
      const old = Array.from(server.connections.values())
      assert.strictEqual(old.length, 10)
      for (const connection of old) connection.dead = true
      assert.isTrue((yield* hundred).every(Exit.isSuccess))
      assert.strictEqual(clears, 1)
      assert.strictEqual(Policy.snapshot(policy).recoveries, 1)
      assert.isAtLeast(Policy.snapshot(policy).retries, 10)
      for (const { id } of old) assert.isFalse(server.connections.has(id))
    }))
})

describe("what tells that a backend is back, around the dials of a pool", () => {
  it.effect("tells after a dial whose time was over, and not after one that the pool gave up itself", () =>
    Effect.gen(function*() {
      let told = 0
      const server = new FakeServer()
      const budget = RetryBudget.make()
      const pool = yield* Pool.make({
        name: "p",
        size: { max: 1 },
        start: "lazy",
        dial: { timeout: "1 second" },
        acquire: RetryBudget.reconnecting(budget, server.acquire, Effect.sync(() => void told++))
      })
      server.dialTime = "100 millis"
      const cleared = yield* begin(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust("50 millis")
      yield* Pool.clear(pool)
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(yield* Fiber.join(cleared), Exit.void)
      assert.deepStrictEqual([server.dials, told], [2, 0])
      server.mode = "black hole"
      yield* Pool.clear(pool)
      const swallowed = yield* begin(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust("1 second")
      server.mode = "accepts"
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(swallowed), Exit.void)
      assert.strictEqual(told, 1)
    }))
})

describe("an outlier ejection over several pools", () => {
  it.effect("leaves out the one whose server is down, also where it has been down for long", () =>
    Effect.gen(function*() {
      const { down, pool } = yield* pooled()
      yield* down
      yield* TestClock.adjust("1 minute")
      const ejection = OutlierEjection.make({ minimumCalls: 1 })
      const exit = yield* Effect.exit(Pool.use(pool, () => Effect.void))
      yield* OutlierEjection.record(ejection, "p", Outcome.fromExit(exit))
      for (const key of ["q", "r", "s", "t"]) yield* OutlierEjection.record(ejection, key, Outcome.success)
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(yield* OutlierEjection.isEjected(ejection, "p"))
    }))
})
