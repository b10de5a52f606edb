import { assert, describe, it } from "@effect/vitest"
import { Data, Duration, Effect, Exit, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/policy/CircuitBreaker.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"

class Broken extends Data.TaggedError("Broken") {}
class Refused extends Data.TaggedError("Refused") {}

const read = Operation.make("read", { idempotent: true })

const when = (error: unknown) => error instanceof Broken

/** A pool whose connections all broke at once; a call finds out after a while. */
class BrokenPool {
  broken = true
  clears = 0
  calls = 0

  readonly clear = Effect.suspend(() => {
    this.clears++
    return Effect.andThen(Effect.sleep("20 millis"), Effect.sync(() => void (this.broken = false)))
  })

  readonly call = Effect.suspend((): Effect.Effect<string, Broken> => {
    this.calls++
    const { broken } = this
    return Effect.andThen(Effect.sleep("10 millis"), broken ? Effect.fail(new Broken()) : Effect.succeed("served"))
  })
}

const retry = { times: 1, schedule: Schedule.spaced(1) }

describe("recover", () => {
  it.effect("clears once for 100 callers that meet one broken pool, and all are served after it", () =>
    Effect.gen(function*() {
      const pool = new BrokenPool()
      const policy = Policy.make({ retry: { times: 1 }, breaker: {}, recover: { when, clear: pool.clear } })
      const caller = Effect.retry(Policy.apply(pool.call, policy, read), Schedule.spaced("1 second"))
      const fibers = yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.forkChild(caller))
      yield* TestClock.adjust("1 minute")
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.isTrue(exits.every((exit) => Exit.isSuccess(exit) && exit.value === "served"))
      assert.strictEqual(pool.clears, 1)
      assert.strictEqual(Policy.snapshot(policy).recoveries, 1)
    }))

  it.effect("is over before the next attempt, and before that of whoever comes meanwhile", () =>
    Effect.gen(function*() {
      const pool = new BrokenPool()
      const policy = Policy.make({ retry, recover: { when, clear: pool.clear } })
      const first = yield* Effect.forkChild(Policy.apply(pool.call, policy, read), { startImmediately: true })
      yield* TestClock.adjust("15 millis") // it has failed, and the pool is being cleared
      const second = yield* Effect.forkChild(Policy.apply(pool.call, policy, read), { startImmediately: true })
      assert.strictEqual(pool.calls, 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], ["served", "served"])
      assert.deepStrictEqual([pool.clears, pool.calls], [1, 3])
    }))

  it.effect("does not clear again for who began before, and does for who began after", () =>
    Effect.gen(function*() {
      const pool = new BrokenPool()
      const policy = Policy.make({ recover: { when, clear: pool.clear } })
      const late = Effect.andThen(Effect.sleep("1 second"), Effect.fail(new Broken()))
      const start = (work: Effect.Effect<unknown, unknown>) =>
        Effect.forkChild(Effect.exit(Policy.apply(work, policy, read)), { startImmediately: true })
      const slow = yield* start(late)
      const slower = yield* start(Effect.andThen(Effect.sleep("10 seconds"), late))
      const fast = yield* Effect.forkChild(Effect.exit(Policy.apply(pool.call, policy, read)))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.await(slow)
      yield* Fiber.await(fast)
      assert.strictEqual(pool.clears, 1)
      const again = yield* Effect.forkChild(Effect.exit(Policy.apply(late, policy, read)))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.await(again)
      assert.strictEqual(pool.clears, 2)
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.await(slower)
      assert.strictEqual(pool.clears, 2)
    }))

  it.effect("goes on when the caller that began it is gone, and is not cut by its deadline", () =>
    Effect.gen(function*() {
      const pool = new BrokenPool()
      const policy = Policy.make({ deadline: "15 millis", recover: { when, clear: pool.clear } })
      const caller = yield* Effect.forkChild(Effect.exit(Policy.apply(pool.call, policy, read)))
      yield* TestClock.adjust("15 millis")
      yield* Fiber.await(caller)
      assert.isTrue(pool.broken)
      yield* TestClock.adjust("15 millis")
      assert.isFalse(pool.broken)
    }))

  it.effect("leaves other errors alone, and holds nobody up for longer than its timeout", () =>
    Effect.gen(function*() {
      let clears = 0
      const clear = Effect.suspend(() => (clears++, Effect.never))
      const policy = Policy.make({ recover: { when, clear, timeout: "3 seconds" } })
      assert.instanceOf(yield* Effect.flip(Policy.apply(Effect.fail(new Refused()), policy, read)), Refused)
      assert.strictEqual(clears, 0)
      const fiber = yield* Effect.forkChild(
        Effect.timed(Effect.flip(Policy.apply(Effect.fail(new Broken()), policy, read)))
      )
      yield* TestClock.adjust("10 seconds")
      const [took, error] = yield* Fiber.join(fiber)
      assert.instanceOf(error, Broken)
      assert.strictEqual(Duration.toSeconds(took), 3)
      assert.strictEqual(Policy.snapshot(policy).recoveries, 1)
    }))

  it.effect("has a breaker count what is broken once for each clearing, and all else as ever", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ recover: { when, clear: Effect.sleep("10 millis") }, breaker: { consecutive: 3 } })
      const state = () => Policy.snapshot(policy).circuit
      const all = (count: number, error: unknown) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(
            Effect.replicateEffect(
              Effect.exit(Policy.apply(Effect.delay(Effect.fail(error), 1), policy, read)),
              count,
              {
                concurrency: "unbounded"
              }
            )
          )
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(fiber)
        })
      yield* all(100, new Broken())
      assert.deepInclude(state(), { state: "closed", calls: 1, failures: 1 })
      yield* all(1, new Refused())
      assert.deepInclude(state(), { state: "closed", calls: 2, failures: 2 })
      // Whatever serves is broken anew each time: no clearing helps.
      yield* all(1, new Broken())
      assert.strictEqual(state()?.state, "open")
    }))

  it.effect("has each of several breakers count it, and each key of one", () =>
    Effect.gen(function*() {
      const inner = Policy.make({ breaker: { perKey: {} } })
      const policy = Policy.compose(Policy.make({ recover: { when, clear: Effect.sleep(1) }, breaker: {} }), inner)
      const broken = Effect.delay(Effect.fail(new Broken()), 1)
      const fiber = yield* Effect.forkChild(Effect.forEach(
        ["a", "b", "a", "b"],
        (key) => Effect.exit(Policy.apply(broken, policy, Operation.make("read", { idempotent: true, key }))),
        { concurrency: "unbounded" }
      ))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      const failures = CircuitBreaker.circuits(policy).map(([key, circuit]) => [key, circuit.failures])
      assert.deepStrictEqual(failures, [[undefined, 1], [undefined, 0], ["a", 1], ["b", 1]])
    }))

  it.effect("has each attempt of a hedge belong to what it began in", () =>
    Effect.gen(function*() {
      const recover = { when, clear: Effect.sleep(1) }
      const policy = Policy.make({ hedge: { after: 30 }, recover, breaker: {} })
      const breaking = (after: Duration.Input) =>
        Effect.forkChild(
          Effect.exit(Policy.apply(Effect.delay(Effect.fail(new Broken()), after), policy, read)),
          { startImmediately: true }
        )
      const hedged = yield* breaking("100 millis")
      const cleared = yield* breaking("10 millis")
      yield* TestClock.adjust("110 millis") // the second attempt has begun after the clearing, and runs
      assert.strictEqual(Policy.snapshot(policy).hedges, 1)
      assert.strictEqual(Policy.snapshot(policy).circuit?.failures, 1)
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach([hedged, cleared], Fiber.await)
      assert.strictEqual(Policy.snapshot(policy).circuit?.failures, 2)
    }))

  it.effect("has a probe count, whatever calls from before the circuit opened have met", () =>
    Effect.gen(function*() {
      const policy = Policy.make({
        recover: { when, clear: Effect.sleep("10 millis") },
        breaker: { consecutive: 1, halfOpenCalls: 1, openFor: "1 second" }
      })
      const breaking = (after: Duration.Input) =>
        Policy.apply(Effect.delay(Effect.fail(new Broken()), after), policy, read)
      const before = yield* Effect.forkChild(Effect.exit(breaking("2 seconds")), { startImmediately: true })
      yield* Effect.exit(Policy.apply(Effect.fail(new Refused()), policy, read))
      yield* TestClock.adjust("1999 millis")
      const probe = yield* Effect.forkChild(Effect.exit(breaking("2 millis")), { startImmediately: true })
      assert.strictEqual(Policy.snapshot(policy).circuit?.state, "half-open")
      yield* TestClock.adjust("3 millis")
      assert.strictEqual(Policy.snapshot(policy).circuit?.state, "open")
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach([before, probe], Fiber.await)
    }))

  it.effect("has a breaker count on where a clearing never ends", () =>
    Effect.gen(function*() {
      const recover = { when, clear: Effect.uninterruptible(Effect.sleep("1 hour")), timeout: "1 second" } as const
      const policy = Policy.make({ recover, breaker: { consecutive: 3 } })
      const fiber = yield* Effect.forkChild(
        Effect.replicateEffect(Effect.exit(Policy.apply(Effect.fail(new Broken()), policy, read)), 3)
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(Policy.snapshot(policy).circuit?.state, "open")
      assert.strictEqual(Policy.snapshot(policy).recoveries, 3)
    }))

  it.effect("does not wait for a clearing that cannot be interrupted either", () =>
    Effect.gen(function*() {
      const clear = Effect.uninterruptible(Effect.sleep("1 minute"))
      const policy = Policy.make({ recover: { when, clear, timeout: "3 seconds" } })
      const call = Effect.exit(Policy.apply(Effect.fail(new Broken()), policy, read))
      const fiber = yield* Effect.forkChild(Effect.timed(call))
      yield* TestClock.adjust("2 minutes")
      const [took] = yield* Fiber.join(fiber)
      assert.strictEqual(Duration.toSeconds(took), 3)
    }))

  it("refuses a timeout out of range", () => {
    assert.throws(
      () => Policy.make({ recover: { when, clear: Effect.void, timeout: 0 } }),
      RangeError,
      /recover\.timeout/
    )
  })
})
