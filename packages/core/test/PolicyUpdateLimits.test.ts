import { assert, describe, it } from "@effect/vitest"
import { Clock, Data, Duration, Effect, Exit, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as AdaptiveLimit from "../src/policy/AdaptiveLimit.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as RetryBudget from "../src/policy/RetryBudget.ts"
import { Down, drawing, scripted } from "./support/calls.ts"

class Broken extends Data.TaggedError("Broken") {}

const read = (key?: string) => Operation.make("read", { idempotent: true, key })

const call = <A, E>(policy: Policy.Policy<unknown>, work: Effect.Effect<A, E>, key?: string) =>
  Effect.exit(Policy.apply(work, policy, read(key)))

const begin = <A, E>(policy: Policy.Policy<unknown>, work: Effect.Effect<A, E>) =>
  Effect.forkChild(call(policy, work), { startImmediately: true })

const answer = <A>(what: A, after: Duration.Input) => Effect.delay(Effect.succeed(what), after)
const refused = Effect.fail(new Down({ outcome: Outcome.failure("yes") }))

/** What a call comes to within a minute, and after how many milliseconds. */
const ending = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.timed(Effect.exit(effect)))
    yield* TestClock.adjust("1 minute")
    const [took, exit] = yield* Fiber.join(fiber)
    return { after: Duration.toMillis(took), exit }
  })

const failsWith = (exit: Exit.Exit<unknown, unknown>, reason: string) =>
  Exit.isFailure(exit) &&
  exit.cause.reasons.some((one) =>
    one._tag === "Fail" && String(Reflect.get(Object(one.error), "reason")?._tag) === reason
  )

describe("update of a hedge", () => {
  const slowFirst = () => scripted(answer("first", 1000), answer("second", 10)).effect

  it.effect("changes when the second attempt of later calls begins, not of one under way", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ hedge: { after: 100 } })
      const begun = yield* Effect.forkChild(Effect.timed(Policy.apply(slowFirst(), policy, read())), {
        startImmediately: true
      })
      Policy.update(policy, { hedge: { after: 300 } })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(Duration.toMillis((yield* Fiber.join(begun))[0]), 110)
      const next = yield* ending(Policy.apply(slowFirst(), policy, read()))
      assert.deepStrictEqual(next, { after: 310, exit: Exit.succeed("second") })
    }))

  it.effect("keeps the latencies measured for another share of slow calls, and the balance of its budget", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ hedge: { extraLoad: 0.02 } })
      for (let n = 0; n < 260; n++) yield* ending(Policy.apply(answer(n, n % 20 === 0 ? 1000 : 10), policy, read()))
      const slow = Policy.snapshot(policy)
      assert.isAtLeast(Duration.toMillis(slow.hedgeAfter!), 1000)
      Policy.update(policy, { hedge: { extraLoad: 0.1 } })
      const fast = Policy.snapshot(policy)
      assert.isAtMost(Duration.toMillis(fast.hedgeAfter!), 11)
      assert.deepStrictEqual(fast.retryBudget, { balance: slow.retryBudget!.balance, share: 0.1 })
      yield* call(policy, Effect.void)
      assert.closeTo(Policy.snapshot(policy).retryBudget!.balance, slow.retryBudget!.balance + 0.1, 1e-9)
    }))

  it.effect("knows no percentile that too few calls have shown", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ hedge: { extraLoad: 0.1 } })
      for (let n = 0; n < 60; n++) yield* call(policy, Effect.void)
      assert.isDefined(Policy.snapshot(policy).hedgeAfter)
      Policy.update(policy, { hedge: { extraLoad: 0.05 } })
      assert.isUndefined(Policy.snapshot(policy).hedgeAfter)
    }))

  it("leaves a budget alone that it was given, and does not ask for more than that earns", () => {
    const budget = RetryBudget.make({ share: 0.1 })
    const policy = Policy.make({ hedge: { budget } })
    Policy.update(policy, { hedge: { extraLoad: 0.08 } })
    assert.strictEqual(Policy.snapshot(policy).retryBudget?.share, 0.1)
    assert.throws(() => Policy.update(policy, { hedge: { extraLoad: 0.2 } }), RangeError, /hedge\.extraLoad.*budget/)
  })

  it("is refused where it would begin no earlier than a timeout or a deadline, also one that changes with it", () => {
    const policy = Policy.make({ deadline: "2 seconds", timeout: "1 second", hedge: { after: 100 } })
    const after = /"hedge\.after" is 1s; allowed is less than the timeout/
    assert.throws(() => Policy.update(policy, { hedge: { after: 1000 } }), RangeError, after)
    assert.throws(() => Policy.update(policy, { timeout: 100 }), RangeError, /hedge\.after/)
    Policy.update(policy, { timeout: 100, hedge: { after: 50 } })
  })

  it.effect("changes whether the slower attempt is interrupted", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ hedge: { after: 100 } })
      let interrupted = 0
      const slow = Effect.onInterrupt(Effect.delay(Effect.void, "1 second"), () => Effect.sync(() => interrupted++))
      const one = () => ending(Policy.apply(scripted(slow, Effect.void).effect, policy, read()))
      yield* one()
      assert.strictEqual(interrupted, 0)
      Policy.update(policy, { hedge: { cancelLoser: true } })
      yield* one()
      assert.strictEqual(interrupted, 1)
    }))
})

describe("update of a throttle", () => {
  it.effect("holds back by other numbers from what it knows", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ throttle: {} })
      for (let n = 0; n < 20; n++) yield* call(policy, refused).pipe(drawing(0.99))
      const shareNow = Effect.gen(function*() {
        const { reason } = yield* Effect.flip(Policy.apply(Effect.void, policy, read())).pipe(drawing(0))
        return reason._tag === "Throttled" ? reason.share : assert.fail(reason._tag)
      })
      assert.strictEqual(yield* shareNow, 0.9)
      Policy.update(policy, { throttle: { maxShare: 0.5 } })
      assert.strictEqual(yield* shareNow, 0.5)
    }))

  it.effect("keeps the window's calls under another length, those under way too", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ throttle: { window: "40 seconds" } })
      const known = () => Policy.snapshot(policy).throttle
      yield* call(policy, Effect.void)
      yield* TestClock.adjust("30 seconds")
      const under = yield* begin(policy, Effect.sleep("1 second"))
      yield* call(policy, Effect.void)
      Policy.update(policy, { throttle: { window: "80 seconds" } })
      assert.deepStrictEqual(known(), { requests: 3, accepts: 2 })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(under)
      assert.deepStrictEqual(known(), { requests: 3, accepts: 3 })
      yield* TestClock.adjust("39 seconds") // 70 seconds after the first call, which 40 would have forgotten
      yield* call(policy, Effect.void)
      assert.deepStrictEqual(known(), { requests: 4, accepts: 4 })
      Policy.update(policy, { throttle: { window: "20 seconds" } })
      yield* call(policy, Effect.void)
      assert.deepStrictEqual(known(), { requests: 2, accepts: 2 })
    }))

  it.effect("reaches the windows of all keys, and of those to come", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ throttle: { perKey: {} } })
      const fail = (key: string) => Effect.replicateEffect(call(policy, refused, key).pipe(drawing(0.99)), 9)
      yield* fail("a")
      Policy.update(policy, { throttle: { maxShare: 0.5 } })
      yield* fail("b")
      for (const key of ["a", "b"]) {
        const { reason } = yield* Effect.flip(Policy.apply(Effect.void, policy, read(key))).pipe(drawing(0))
        assert.deepInclude(reason, { _tag: "Throttled", share: 0.5, key })
      }
    }))
})

/** Starts a call that notes when it begins. */
const noting = (policy: Policy.Policy<unknown>, begun: Array<number>) =>
  begin(policy, Effect.andThen(Clock.currentTimeMillis, (now) => Effect.sync(() => begun.push(now))))

describe("update of a rate limit", () => {
  it.effect("serves who waits at the new rate, from the calls that are outstanding", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ rateLimit: { limit: 1, maxWait: "1 minute" } })
      const begun: Array<number> = []
      for (let n = 0; n < 6; n++) yield* noting(policy, begun)
      yield* TestClock.adjust("1500 millis")
      assert.deepStrictEqual(begun, [0, 1000])
      Policy.update(policy, { rateLimit: { limit: 10, burst: 1 } })
      yield* TestClock.adjust("1 second")
      // Half of the second was over for the next, hence half of a tenth is left.
      assert.deepStrictEqual(begun, [0, 1000, 1550, 1650, 1750, 1850])
      Policy.update(policy, { rateLimit: { burst: 3 } })
      yield* TestClock.adjust("1 second")
      for (let n = 0; n < 4; n++) yield* noting(policy, begun)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(begun.slice(6), [3500, 3500, 3500, 3600])
    }))

  it.effect("lets those who wait go on later at a lower rate, and refuses who would wait too long then", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ rateLimit: { limit: 10, burst: 1, maxWait: "1 second" } })
      const begun: Array<number> = []
      const fibers = yield* Effect.forEach([0, 1, 2, 3, 4], () => noting(policy, begun))
      Policy.update(policy, { rateLimit: { limit: 2, burst: 1 } })
      assert.deepStrictEqual(Policy.snapshot(policy).rateLimit, { keys: 1, waiting: 2 })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(begun, [0, 500, 1000])
      const exits = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(exits.map((exit) => failsWith(exit, "RateLimited")), [false, false, false, true, true])
    }))

  it.effect("refuses all who would wait too long, also who is the first only because of that", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ rateLimit: { limit: 10, burst: 1, maxWait: "1 second" } })
      const begun: Array<number> = []
      const fibers = yield* Effect.forEach([0, 1, 2, 3], () => noting(policy, begun))
      Policy.update(policy, { rateLimit: { limit: 1, interval: "1 hour" } })
      yield* TestClock.adjust("2 hours")
      const exits = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(exits.map((exit) => failsWith(exit, "RateLimited")), [false, true, true, true])
      assert.deepStrictEqual([begun, Policy.snapshot(policy).rateLimited], [[0], 3])
    }))

  it.effect("lets a key that was used up wait for the new rate only", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ rateLimit: { limit: 1, interval: "1 hour", maxWait: "1 second" } })
      yield* call(policy, Effect.void)
      assert.isTrue(failsWith(yield* call(policy, Effect.void), "RateLimited"))
      Policy.update(policy, { rateLimit: { interval: "1 second" } })
      assert.strictEqual((yield* ending(Policy.apply(Effect.void, policy, read()))).after, 1000)
    }))

  it.effect("changes for how long who comes may wait", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ rateLimit: { limit: 1 } })
      yield* call(policy, Effect.void)
      Policy.update(policy, { rateLimit: { maxWait: 0 } })
      assert.isTrue(failsWith(yield* call(policy, Effect.void), "RateLimited"))
    }))
})

describe("update of an adaptive limit", () => {
  it.effect("keeps the limit within other bounds, serves who waits, and cuts nobody", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ adaptiveLimit: { limit: { initial: 4, max: 8 } } })
      const known = () => Policy.snapshot(policy).adaptiveLimit
      const fibers = yield* Effect.forEach(Array.from({ length: 6 }), () => begin(policy, Effect.sleep("1 second")))
      assert.deepInclude(known(), { limit: 4, running: 4, waiting: 2 })
      Policy.update(policy, { adaptiveLimit: { limit: { max: 2 } } })
      assert.deepInclude(known(), { limit: 2, running: 4, waiting: 2 })
      Policy.update(policy, { adaptiveLimit: { limit: { min: 5, max: 8 } } })
      assert.deepInclude(known(), { limit: 5, running: 5, waiting: 1 })
      yield* Effect.forEach(fibers, Fiber.interrupt)
      assert.deepInclude(known(), { running: 0, waiting: 0 })
    }))

  it.effect("keeps the bound that is not given, and the latency that it knows", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ adaptiveLimit: { limit: { initial: 4, min: 3, max: 8 }, window: 100 } })
      for (let n = 0; n < 12; n++) {
        const fiber = yield* begin(policy, Effect.sleep(20))
        yield* TestClock.adjust(20)
        yield* Fiber.join(fiber)
      }
      const { unloaded } = Policy.snapshot(policy).adaptiveLimit!
      assert.strictEqual(Duration.toMillis(unloaded!), 20)
      const tooLow = /"adaptiveLimit\.limit\.max" is 2; allowed is a whole number of 3/
      assert.throws(() => Policy.update(policy, { adaptiveLimit: { limit: { max: 2 } } }), RangeError, tooLow)
      Policy.update(policy, { adaptiveLimit: { limit: { max: 6 }, algorithm: AdaptiveLimit.vegas, window: 200 } })
      assert.deepInclude(Policy.snapshot(policy).adaptiveLimit, { limit: 4, unloaded })
    }))

  it.effect("bounds the queue and its wait anew for who comes", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ adaptiveLimit: { limit: { initial: 1 }, queue: 0 } })
      const holder = yield* begin(policy, Effect.never)
      assert.isTrue(failsWith(yield* call(policy, Effect.void), "LimitExceeded"))
      Policy.update(policy, { adaptiveLimit: { queue: 1, maxWait: 30 } })
      const { after, exit } = yield* ending(Policy.apply(Effect.void, policy, read()))
      assert.isTrue(failsWith(exit, "LimitExceeded"))
      assert.strictEqual(after, 30)
      yield* Fiber.interrupt(holder)
    }))
})

describe("update of a chaos", () => {
  it.effect("switches faults on and off, and goes on with its draws", () =>
    Effect.gen(function*() {
      const faults = (policy: Policy.Policy<unknown>, count: number) =>
        Effect.map(
          Effect.replicateEffect(call(policy, Effect.void), count),
          (exits) => exits.map((exit) => Exit.isFailure(exit))
        )
      const error = { share: 0.5 }
      const expected = yield* faults(Policy.make({ chaos: { seed: 7, error } }), 20)
      const policy = Policy.make({ chaos: { seed: 7 } })
      assert.notInclude(yield* faults(policy, 5), true)
      Policy.update(policy, { chaos: { error } })
      const before = yield* faults(policy, 8)
      Policy.update(policy, { chaos: { error: { share: 0 } } })
      assert.notInclude(yield* faults(policy, 5), true)
      Policy.update(policy, { chaos: { error } })
      assert.deepStrictEqual([...before, ...yield* faults(policy, 12)], expected)
    }))

  it.effect("keeps the faults that it does not name", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ chaos: { seed: 1 } })
      Policy.update(policy, { chaos: { error: { share: 0.6 } } })
      Policy.update(policy, { chaos: { latency: { share: 0.4, by: "1 second" } } })
      const ends = yield* Effect.forEach(Array.from({ length: 20 }), () =>
        ending(Policy.apply(Effect.void, policy, read())))
      assert.sameMembers(
        Array.from(
          new Set(ends.map(({ after, exit }) =>
            `${exit._tag} after ${after}`
          ))
        ),
        ["Failure after 0", "Success after 1000"]
      )
    }))
})

describe("update of a recovery", () => {
  it.effect("changes how long it may take", () =>
    Effect.gen(function*() {
      const recover = { when: (error: unknown) => error instanceof Broken, clear: Effect.never }
      const policy = Policy.make({ recover })
      const took = Effect.map(ending(Policy.apply(Effect.fail(new Broken()), policy, read())), ({ after }) => after)
      assert.strictEqual(yield* took, 1000)
      Policy.update(policy, { recover: { timeout: "3 seconds" } })
      assert.strictEqual(yield* took, 3000)
    }))
})

describe("update of a retry budget", () => {
  it.effect("keeps what is saved up to the new burst, and earns and pays by the new settings, for all who share it", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ share: 0.5, perSecond: 10 })
      const [first, second] = [1, 2].map(() =>
        Policy.make({ retry: { times: 1, schedule: Schedule.spaced(1), budget } })
      )
      const balance = () => Policy.snapshot(first!).retryBudget?.balance
      yield* call(first!, Effect.void)
      RetryBudget.update(budget, { share: 0.25 })
      yield* call(second!, Effect.void)
      assert.strictEqual(balance(), 10.75)
      RetryBudget.update(budget, { burst: 3, perSecond: 2 })
      assert.strictEqual(balance(), 3)
      for (let n = 0; n < 3; n++) assert.isTrue(yield* RetryBudget.charge(budget))
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* RetryBudget.charge(budget))
      assert.strictEqual(balance(), 1)
      assert.strictEqual(budget.share, 0.25)
    }))

  it("refuses what is out of range and changes nothing then, and the one that belongs to everybody", () => {
    const budget = RetryBudget.make()
    assert.throws(() => RetryBudget.update(budget, { share: 0.5, burst: 0 }), RangeError, /"burst" is 0/)
    assert.strictEqual(budget.share, 0.2)
    assert.throws(() => RetryBudget.update(RetryBudget.unlimited, { share: 0 }), RangeError, /unlimited/)
  })
})
