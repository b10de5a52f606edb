import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Scheduler } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import * as Deadline from "../src/policy/Deadline.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"
import type { PolicyError } from "../src/policy/PolicyError.ts"
import * as RateLimit from "../src/policy/RateLimit.ts"
import { seed, seeded } from "./pool/seeded.ts"
import { yieldAt } from "./support/interrupts.ts"

const operation = (key?: string) => Operation.make("work", { idempotent: true, key })
const run = <A, E, E2>(policy: Policy.Policy<E>, work: Effect.Effect<A, E2>, key?: string) =>
  Policy.apply(work, policy, operation(key))
const stateOf = (policy: Policy.Policy<unknown>) => Policy.snapshot(policy).rateLimit!

/** Starts a call that notes when it begins. */
const begin = (policy: Policy.Policy<unknown>, begun: Array<number>, key?: string) =>
  Effect.forkChild(
    Effect.exit(run(policy, Effect.andThen(Clock.currentTimeMillis, (now) => Effect.sync(() => begun.push(now))), key)),
    { startImmediately: true }
  )

/** A clock moved by hand, whose timers do not come. */
const lateClock = () => {
  const time = { now: 0 }
  const millis = () => time.now
  const nanos = () => BigInt(time.now * 1e6)
  return Object.assign(time, {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: () => Effect.never
  })
}

describe("the rate limit", () => {
  it.effect("lets a burst through after a pause, and then one call after the other in even distances", () =>
    Effect.gen(function*() {
      const policy = RateLimit.make({ limit: 10, burst: 3, maxWait: "1 minute" })
      const begun: Array<number> = []
      for (let n = 0; n < 6; n++) yield* begin(policy, begun)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(begun, [0, 0, 0, 100, 200, 300])
      yield* TestClock.adjust("10 seconds")
      begun.length = 0
      for (let n = 0; n < 5; n++) yield* begin(policy, begun)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(begun, [11_000, 11_000, 11_000, 11_100, 11_200])
    }))

  it.effect("takes limit calls at once by default, and never more than that and the rate allow", () =>
    Effect.gen(function*() {
      const choices = seeded(seed)
      const policy = RateLimit.make({ limit: 5, maxWait: "1 minute" })
      const begun: Array<number> = []
      for (let n = 0; n < 200; n++) {
        const fiber = yield* begin(policy, begun)
        if (choices.next() < 0.2) fiber.interruptUnsafe()
        yield* TestClock.adjust(choices.below(300))
      }
      yield* TestClock.adjust("5 minutes")
      for (const [first, from] of begun.entries()) {
        for (let last = first; last < begun.length; last++) {
          const allowed = 5 + Math.floor((begun[last]! - from) / 200) + 1
          assert.isAtMost(last - first + 1, allowed, `seed ${seed}`)
        }
      }
      assert.deepStrictEqual(stateOf(policy), { keys: 1, waiting: 0 })
    }))

  it.effect("refuses at once what would wait too long, with the time after which there is room", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ rateLimit: { limit: 10, burst: 1, maxWait: "150 millis" } })
      yield* run(policy, Effect.void)
      const waiting = yield* Effect.forkChild(run(policy, Effect.void), { startImmediately: true })
      const error = yield* Effect.flip(run(policy, Effect.void))
      assert.deepStrictEqual(error.reason, {
        _tag: "RateLimited",
        operation: "work",
        key: undefined,
        retryAfter: Duration.millis(200)
      })
      assert.deepStrictEqual(error.outcome, { _tag: "Ignored", sent: "no" })
      assert.strictEqual(Policy.snapshot(policy).rateLimited, 1)
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(waiting)
    }))

  it.effect("waits for nothing with a wait of zero", () =>
    Effect.gen(function*() {
      const policy = RateLimit.make({ limit: 1, maxWait: 0 })
      yield* run(policy, Effect.void)
      assert.strictEqual((yield* Effect.flip(run(policy, Effect.void))).reason._tag, "RateLimited")
    }))

  it.effect("does not wait beyond the caller's deadline", () =>
    Effect.gen(function*() {
      const policy = Policy.compose(
        Deadline.make("1 second"),
        RateLimit.make({ limit: 1, interval: "2 seconds", maxWait: "1 minute" })
      )
      yield* run(policy, Effect.void)
      assert.strictEqual((yield* Effect.flip(run(policy, Effect.void))).reason._tag, "RateLimited")
    }))

  it.effect("gives the place of an interrupted waiter to those behind it", () =>
    Effect.gen(function*() {
      const policy = RateLimit.make({ limit: 10, burst: 1, maxWait: "1 minute" })
      const begun: Array<number> = []
      yield* begin(policy, begun)
      const [first, second] = [yield* begin(policy, []), yield* begin(policy, [])]
      yield* begin(policy, begun)
      yield* begin(policy, begun)
      assert.strictEqual(stateOf(policy).waiting, 4)
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(first)
      yield* Fiber.interrupt(second)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(begun, [0, 100, 200])
      assert.strictEqual(stateOf(policy).waiting, 0)
    }))

  it.effect("keeps keys apart only when told to", () =>
    Effect.gen(function*() {
      const apart = RateLimit.make({ limit: 1, maxWait: 0, perKey: {} })
      yield* run(apart, Effect.void, "a")
      yield* run(apart, Effect.void, "b")
      const { reason } = yield* Effect.flip(run(apart, Effect.void, "a"))
      assert.strictEqual(reason.key, "a")
      const together = RateLimit.make({ limit: 1, maxWait: 0 })
      yield* run(together, Effect.void, "a")
      assert.strictEqual((yield* Effect.flip(run(together, Effect.void, "b"))).reason.key, undefined)
    }))

  it.effect("keeps a bounded number of keys: forgets the idle ones, and lets those that it has no room for share a limit", () =>
    Effect.gen(function*() {
      const policy = RateLimit.make({ limit: 1, maxWait: 0, perKey: { max: 3 } })
      for (const key of ["a", "b", "c", "d"]) yield* run(policy, Effect.void, key)
      assert.strictEqual(stateOf(policy).keys, 3)
      assert.strictEqual((yield* Effect.flip(run(policy, Effect.void, "e"))).reason._tag, "RateLimited")
      yield* TestClock.adjust("1 second")
      yield* run(policy, Effect.void, "e")
      yield* run(policy, Effect.void, "f")
      assert.strictEqual(stateOf(policy).keys, 2)
      assert.strictEqual((yield* Effect.flip(run(policy, Effect.void, "f"))).reason._tag, "RateLimited")
    }))

  it.effect("forgets idle keys though there is room for more, once there are twice as many as were in use", () =>
    Effect.gen(function*() {
      const policy = RateLimit.make({ limit: 1, maxWait: 0, perKey: {} })
      for (let n = 0; n < 100; n++) yield* run(policy, Effect.void, `old ${n}`)
      assert.strictEqual(stateOf(policy).keys, 100)
      yield* TestClock.adjust("2 seconds")
      yield* run(policy, Effect.void, "new")
      assert.strictEqual(stateOf(policy).keys, 1)
      // Those in use are kept, whether many or few.
      for (let n = 0; n < 300; n++) yield* run(policy, Effect.void, `busy ${n}`)
      assert.strictEqual(stateOf(policy).keys, 301)
      assert.strictEqual((yield* Effect.flip(run(policy, Effect.void, "busy 0"))).reason._tag, "RateLimited")
    }))

  it.effect("keeps a key for which somebody waits", () =>
    Effect.gen(function*() {
      const policy = RateLimit.make({ limit: 1, maxWait: "1 minute", perKey: { max: 1 } })
      const begun: Array<number> = []
      for (let n = 0; n < 3; n++) yield* begin(policy, begun, "a")
      yield* TestClock.adjust(1500)
      yield* run(policy, Effect.void, "b")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(begun, [0, 1000, 2000])
    }))

  it("lets nobody overtake those whose timer is late, and keeps their key", () => {
    const clock = lateClock()
    const policy = RateLimit.make({ limit: 1, maxWait: "1 minute", perKey: { max: 1 } })
    const call = (key: string) =>
      void Effect.runFork(Effect.provideService(run(policy, Effect.void, key), Clock.Clock, clock))
    call("a")
    call("a")
    clock.now += 10_000
    call("b")
    call("a")
    assert.deepStrictEqual(stateOf(policy), { keys: 1, waiting: 2 })
  })

  it.effect("resumes thousands whose time has come at once", () =>
    Effect.gen(function*() {
      const policy = RateLimit.make({ limit: 1_000_000, burst: 1, maxWait: "1 second" })
      let served = 0
      const fibers = yield* Effect.forEach(Array.from({ length: 5000 }), () =>
        Effect.forkChild(run(policy, Effect.sync(() => served++)), { startImmediately: true }))
      // A microsecond each, and timers that know milliseconds only.
      yield* TestClock.adjust(10)
      assert.strictEqual(served, 5000)
      yield* Effect.forEach(fibers, Fiber.join)
    }))

  it.live("strands nobody when the interrupt lands at any operation", () =>
    Effect.gen(function*() {
      for (let at = 0; at < 40; at++) {
        const policy = RateLimit.make({ limit: 1000, burst: 1, maxWait: "1 minute" })
        yield* run(policy, Effect.void)
        const fiber = Effect.runFork(
          Effect.provideService(Effect.exit(run(policy, Effect.void)), Scheduler.Scheduler, yieldAt(at))
        )
        const behind = Effect.runFork(run(policy, Effect.succeed("served")))
        fiber.interruptUnsafe()
        yield* Fiber.await(fiber)
        assert.strictEqual(yield* Fiber.join(behind), "served", `operation ${at}`)
        assert.strictEqual(stateOf(policy).waiting, 0)
      }
    }))

  it.effect("lets go on who came second and is first before it waits, wherever the scheduler yields", () =>
    Effect.gen(function*() {
      for (let at = 0; at < 40; at++) {
        const policy = RateLimit.make({ limit: 1, maxWait: "1 minute" })
        yield* run(policy, Effect.void)
        const first = yield* Effect.forkChild(run(policy, Effect.void), { startImmediately: true })
        const second = yield* Effect.forkChild(
          Effect.provideService(run(policy, Effect.succeed("served")), Scheduler.Scheduler, yieldAt(at)),
          { startImmediately: true }
        )
        yield* Fiber.interrupt(first)
        yield* TestClock.adjust("10 seconds")
        assert.isDefined(second.pollUnsafe(), `operation ${at}`)
      }
    }))

  it.effect("goes on by a rate that changes while it begins to wait, wherever the scheduler yields", () =>
    Effect.gen(function*() {
      for (let at = 0; at < 40; at++) {
        const policy = RateLimit.make({ limit: 1, interval: "1 minute", maxWait: "1 hour" })
        yield* run(policy, Effect.void)
        const waiting = yield* Effect.forkChild(
          Effect.provideService(run(policy, Effect.succeed("served")), Scheduler.Scheduler, yieldAt(at)),
          { startImmediately: true }
        )
        Policy.update(policy, { rateLimit: { interval: "1 second" } })
        yield* TestClock.adjust("2 seconds")
        assert.isDefined(waiting.pollUnsafe(), `operation ${at}`)
      }
    }))

  it("refuses options out of range", () => {
    assert.throws(() => RateLimit.make({ limit: 0 }), RangeError, /"limit" is 0/)
    assert.throws(() => RateLimit.make({ limit: 1, burst: 0 }), RangeError, /"burst" is 0/)
    assert.throws(() => RateLimit.make({ limit: 1, interval: 0 }), RangeError, /"interval"/)
    assert.throws(() => RateLimit.make({ limit: 1, maxWait: Infinity }), RangeError, /"maxWait"/)
    assert.throws(() => RateLimit.make({ limit: 1, perKey: { max: 0 } }), RangeError, /"perKey.max" is 0/)
  })
})

describe("a rate limit that processes share", () => {
  const limiter = Effect.provide(RateLimiter.make, RateLimiter.layerStoreMemory)
  const withStore = (consume: RateLimiter.RateLimiter["consume"]) =>
    Effect.map(limiter, (given): RateLimiter.RateLimiter => ({ ...given, consume }))
  const reasonOf = (policy: Policy.Policy<PolicyError>, key?: string) =>
    Effect.map(Effect.flip(run(policy, Effect.void, key)), ({ reason }) => reason)

  it.effect("counts what all of them begin, by the name of the quota", () =>
    Effect.gen(function*() {
      const store = yield* limiter
      const process = (name: string) => RateLimit.shared(store, { name, limit: 2, maxWait: 0 })
      const [one, another, other] = [process("geocoder"), process("geocoder"), process("mail")]
      yield* run(one, Effect.void)
      yield* run(another, Effect.void)
      const reason = yield* reasonOf(one)
      assert.deepStrictEqual(reason, {
        _tag: "RateLimited",
        operation: "work",
        key: undefined,
        retryAfter: Duration.millis(500)
      })
      assert.strictEqual((yield* reasonOf(another))._tag, "RateLimited")
      yield* run(other, Effect.void)
      assert.strictEqual(Policy.snapshot(one).rateLimited, 1)
      yield* TestClock.adjust(500)
      yield* run(another, Effect.void)
    }))

  it.effect("lets a call wait until there is room, but not beyond what it may nor beyond its deadline", () =>
    Effect.gen(function*() {
      const policy = RateLimit.shared(yield* limiter, { name: "q", limit: 1, maxWait: "1 second" })
      const begun: Array<number> = []
      for (let n = 0; n < 2; n++) yield* begin(policy, begun)
      const late = yield* Effect.forkChild(
        Effect.exit(run(Policy.compose(Deadline.make("500 millis"), policy), Effect.void)),
        { startImmediately: true }
      )
      assert.include(String(late.pollUnsafe()), "rate limit")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(begun, [0, 1000])
      const short = RateLimit.shared(yield* limiter, { name: "q", limit: 1, maxWait: "999 millis" })
      yield* run(short, Effect.void)
      assert.strictEqual((yield* reasonOf(short))._tag, "RateLimited")
    }))

  it.effect("has a quota for each key only when told to", () =>
    Effect.gen(function*() {
      const apart = RateLimit.shared(yield* limiter, { name: "q", limit: 1, maxWait: 0, perKey: true })
      yield* run(apart, Effect.void, "a")
      yield* run(apart, Effect.void, "b")
      assert.deepInclude(yield* reasonOf(apart, "a"), { key: "a" })
      const together = RateLimit.shared(yield* limiter, { name: "q", limit: 1, maxWait: 0 })
      yield* run(together, Effect.void, "a")
      assert.deepInclude(yield* reasonOf(together, "b"), { key: undefined })
    }))

  it.effect("lets calls through when the store fails, or does not answer in time", () =>
    Effect.gen(function*() {
      const down = new RateLimiter.RateLimiterError({
        reason: new RateLimiter.RateLimitStoreError({ message: "down" })
      })
      yield* run(RateLimit.shared(yield* withStore(() => Effect.fail(down)), { name: "q", limit: 1 }), Effect.void)
      const silent = RateLimit.shared(yield* withStore(() => Effect.never), { name: "q", limit: 1 })
      const begun: Array<number> = []
      yield* begin(silent, begun)
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(begun, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(begun, [100])
    }))

  it.effect("is no failure of the backend to a breaker around it, and is not changed by an update", () =>
    Effect.gen(function*() {
      const quota = RateLimit.shared(yield* limiter, { name: "q", limit: 1, maxWait: 0 })
      const policy = Policy.compose(Policy.make({ breaker: {} }), quota)
      yield* run(policy, Effect.void)
      assert.strictEqual((yield* reasonOf(policy))._tag, "RateLimited")
      assert.deepInclude(Policy.snapshot(policy).circuit, { calls: 1, failures: 0 })
      assert.throws(() => Policy.update(policy, { rateLimit: { limit: 2 } }), RangeError, /"rateLimit" is to change/)
    }))

  it.effect("refuses options out of range", () =>
    Effect.map(limiter, (store) => {
      const made = (options: Partial<RateLimit.SharedOptions>) => () =>
        RateLimit.shared(store, { name: "q", limit: 1, ...options })
      assert.throws(made({ limit: 0 }), RangeError, /"limit" is 0/)
      assert.throws(made({ interval: 0 }), RangeError, /"interval"/)
      assert.throws(made({ maxWait: Infinity }), RangeError, /"maxWait"/)
      assert.throws(made({ storeTimeout: 0 }), RangeError, /"storeTimeout"/)
    }))
})
