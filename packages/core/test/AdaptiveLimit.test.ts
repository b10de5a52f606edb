import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Option, Scheduler, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as AdaptiveLimit from "../src/policy/AdaptiveLimit.ts"
import * as Deadline from "../src/policy/Deadline.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as Timeout from "../src/policy/Timeout.ts"
import { seed, seeded } from "./pool/seeded.ts"
import { Down } from "./support/calls.ts"
import { yieldAt } from "./support/interrupts.ts"

const operation = (key?: string, priority?: number) => Operation.make("work", { idempotent: true, key, priority })
const run = <A, E, E2>(policy: Policy.Policy<E>, work: Effect.Effect<A, E2>, op = operation()) =>
  Policy.apply(work, policy, op)
const stateOf = (policy: Policy.Policy<unknown>) => Policy.snapshot(policy).adaptiveLimit!

const start = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(Effect.exit(effect), { startImmediately: true })

/** Calls that all begin at once, a number of times. */
const rounds = (policy: Policy.Policy<unknown>, count: number, calls: number, work: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    for (let round = 0; round < count; round++) {
      const fibers = yield* Effect.forEach(Array.from({ length: calls }), () => start(run(policy, work)))
      yield* TestClock.adjust("10 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
    }
  })

const window = { limit: 16, latency: 100, unloaded: 100, dropShare: 0 }

describe("the algorithms", () => {
  it("gradient: leave what keeps the backend busy, and its square root", () => {
    assert.strictEqual(AdaptiveLimit.gradient.next(window), 20)
    assert.strictEqual(AdaptiveLimit.gradient.next({ ...window, latency: 400 }), 6)
    assert.strictEqual(AdaptiveLimit.gradient.next({ ...window, dropShare: 0.75 }), 6)
    assert.strictEqual(AdaptiveLimit.gradient.next({ ...window, latency: 50 }), 20)
    assert.strictEqual(AdaptiveLimit.gradient.next({ ...window, latency: Infinity, dropShare: 1 }), 0)
  })

  it("vegas: go a step up while few calls wait at the backend, and a step down while many do", () => {
    const step = Math.log10(100)
    const next = (latency: number, dropShare = 0) =>
      AdaptiveLimit.vegas.next({ limit: 100, latency, unloaded: 100, dropShare })
    assert.strictEqual(next(100), 100 + step)
    assert.strictEqual(next(110), 100) // nine wait
    assert.strictEqual(next(120), 100 - step) // seventeen
    assert.strictEqual(next(100, 0.01), 100 - step)
    assert.strictEqual(AdaptiveLimit.vegas.next({ ...window, limit: 2 }), 3)
  })

  it("aimd: go one up, and a tenth down when calls are dropped or too slow", () => {
    const { next, usesUnloaded } = AdaptiveLimit.aimd({ latency: "200 millis" })
    assert.isFalse(usesUnloaded)
    assert.strictEqual(next({ ...window, limit: 10 }), 11)
    assert.strictEqual(next({ ...window, limit: 10, latency: 201 }), 9)
    assert.strictEqual(next({ ...window, limit: 10, dropShare: 0.01 }), 9)
    assert.throws(() => AdaptiveLimit.aimd({ latency: 0 }), RangeError, /"latency"/)
  })
})

describe("the adaptive limit", () => {
  it.effect("runs as many calls as it allows and refuses what would wait for too long", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ adaptiveLimit: { limit: { initial: 2 } } })
      const running = [
        yield* start(run(policy, Effect.sleep("1 second"))),
        yield* start(run(policy, Effect.sleep("1 second")))
      ]
      const third = yield* start(run(policy, Effect.void))
      assert.deepStrictEqual(stateOf(policy), { limit: 2, running: 2, waiting: 1, unloaded: undefined })
      yield* TestClock.adjust(99)
      assert.strictEqual(stateOf(policy).waiting, 1)
      yield* TestClock.adjust(1)
      const exit = yield* Fiber.join(third)
      const error = Option.getOrThrow(Exit.findErrorOption(exit))
      assert.deepStrictEqual(error.reason, { _tag: "LimitExceeded", operation: "work", limit: 2, waiting: 0 })
      assert.deepStrictEqual(error.outcome, { _tag: "Ignored", sent: "no" })
      assert.strictEqual(Policy.snapshot(policy).limitRefused, 1)
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(running, Fiber.join)
      assert.strictEqual(stateOf(policy).running, 0)
    }))

  it.effect("bounds the queue, and its wait by the option", () =>
    Effect.gen(function*() {
      const policy = AdaptiveLimit.make({ limit: { initial: 1 }, queue: 1, maxWait: 30 })
      yield* start(run(policy, Effect.never))
      const waiting = yield* start(run(policy, Effect.void))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(run(policy, Effect.void))))
      yield* TestClock.adjust(30)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
    }))

  it.effect("goes down when calls take longer, says so, and serves the newest waiter first while overloaded", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ adaptiveLimit: {} })
      const heard = yield* Effect.forkChild(
        Stream.runCollect(Stream.take(Stream.filter(Policy.events(policy), (e) => e._tag === "LimitChanged"), 1)),
        { startImmediately: true }
      )
      yield* rounds(policy, 2, 10, Effect.sleep(20))
      assert.deepStrictEqual(stateOf(policy).unloaded, Duration.millis(20))
      yield* rounds(policy, 2, 60, Effect.sleep(2000))
      assert.isBelow(stateOf(policy).limit, 20)
      const [event] = yield* Fiber.join(heard)
      assert.deepInclude(event, { _tag: "LimitChanged", from: 20 })
      const order: Array<string> = []
      const note = (name: string, millis: number) =>
        start(run(policy, Effect.andThen(Effect.sync(() => order.push(name)), Effect.sleep(millis))))
      for (let n = stateOf(policy).limit; n > 0; n--) yield* note("holder", 5)
      yield* note("first", 1)
      yield* note("second", 1)
      order.length = 0
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(order, ["second", "first"])
    }))

  it.effect("takes what got no answer in time for dropped, and nothing else that fails", () =>
    Effect.gen(function*() {
      const down = (outcome: Outcome.Outcome) => Effect.delay(Effect.fail(new Down({ outcome })), 10)
      const timedOut = Effect.fail(new Cause.TimeoutError())
      const cut = Timeout.make("50 millis")
      const cases: ReadonlyArray<readonly [boolean, Effect.Effect<unknown, unknown>]> = [
        [true, down(Outcome.overload("yes"))],
        [true, Effect.delay(timedOut, 10)],
        [true, Policy.apply(Effect.never, cut, operation())],
        [true, Policy.apply(Effect.never, Deadline.make(50), operation())],
        [false, down(Outcome.failure("unknown"))],
        [false, down(Outcome.ignored("no"))],
        [false, Effect.delay(Effect.die("bug"), 10)],
        [false, Effect.delay(Effect.interrupt, 10)]
      ]
      for (const [dropped, work] of cases) {
        const policy = AdaptiveLimit.make()
        yield* rounds(policy, 3, 15, work)
        assert.strictEqual(stateOf(policy).limit < 20, dropped)
        assert.strictEqual(stateOf(policy).unloaded, undefined)
      }
    }))

  it.effect("takes a call that the caller's deadline cut for dropped, and one that was interrupted before for nothing", () =>
    Effect.gen(function*() {
      const limit = AdaptiveLimit.make()
      const policy = Policy.compose(Deadline.make("1 second"), limit)
      for (let n = 0; n < 3; n++) {
        const fibers = yield* Effect.forEach(Array.from({ length: 15 }), () => start(run(policy, Effect.never)))
        yield* TestClock.adjust(990)
        yield* Effect.forEach(fibers, Fiber.interrupt)
      }
      assert.strictEqual(stateOf(limit).limit, 20)
      yield* rounds(policy, 3, 15, Effect.never)
      assert.isBelow(stateOf(limit).limit, 20)
    }))

  it.effect("counts right through random interruptions, and strands nobody", () =>
    Effect.gen(function*() {
      const choices = seeded(seed)
      const policy = AdaptiveLimit.make({ limit: { initial: 3 }, window: 100 })
      for (let round = 0; round < 200; round++) {
        const fibers = yield* Effect.forEach(Array.from({ length: 12 }), () =>
          start(run(policy, Effect.sleep(choices.below(60)), operation(undefined, choices.below(2)))))
        yield* TestClock.adjust(choices.below(40))
        for (const fiber of fibers) {
          if (choices.next() < 0.3) {
            fiber.interruptUnsafe()
          }
        }
        yield* TestClock.adjust("2 seconds")
        yield* Effect.forEach(fibers, Fiber.await)
        assert.deepInclude(stateOf(policy), { running: 0, waiting: 0 }, `seed ${seed}, round ${round}`)
      }
    }), 30_000)

  it.live("leaks no permit when the interrupt lands at any operation", () =>
    Effect.gen(function*() {
      for (let at = 0; at < 30; at++) {
        const policy = AdaptiveLimit.make({ limit: { initial: 1 } })
        const holder = Effect.runFork(run(policy, Effect.never))
        const fiber = Effect.runFork(
          Effect.provideService(Effect.exit(run(policy, Effect.void)), Scheduler.Scheduler, yieldAt(at))
        )
        holder.interruptUnsafe()
        fiber.interruptUnsafe()
        yield* Fiber.await(holder)
        yield* Fiber.await(fiber)
        assert.deepInclude(stateOf(policy), { running: 0, waiting: 0 }, `operation ${at}`)
      }
    }))

  it("refuses options out of range, and a bulkhead beside it", () => {
    const make = (limit: AdaptiveLimit.Options["limit"]) => () => AdaptiveLimit.make({ limit })
    assert.throws(make({ min: 0 }), RangeError, /"limit.min" is 0/)
    assert.throws(make({ min: 5, max: 4 }), RangeError, /"limit.max" is 4/)
    assert.throws(make({ max: 10, initial: 11 }), RangeError, /"limit.initial" is 11/)
    assert.throws(() => AdaptiveLimit.make({ queue: -1 }), RangeError, /"queue" is -1/)
    assert.throws(() => AdaptiveLimit.make({ maxWait: 0 }), RangeError, /"maxWait"/)
    assert.throws(() => AdaptiveLimit.make({ window: 0 }), RangeError, /"window"/)
    assert.throws(() => Policy.make({ adaptiveLimit: {}, bulkhead: { permits: 1 } }), RangeError, /beside "bulkhead"/)
    assert.strictEqual(stateOf(AdaptiveLimit.make({ limit: { max: 10 } })).limit, 10)
    assert.strictEqual(stateOf(AdaptiveLimit.make({ limit: { min: 30 } })).limit, 30)
  })

  it.effect("serves who waits also where a classifier throws", () =>
    Effect.gen(function*() {
      const policy = AdaptiveLimit.make({
        limit: { max: 1 },
        classify: () => {
          throw new Error("a bug")
        }
      })
      const holder = yield* start(run(policy, Effect.sleep("10 millis")))
      let served = false
      const waiter = yield* start(run(policy, Effect.sync(() => void (served = true))))
      yield* TestClock.adjust("10 millis")
      assert.isTrue(served)
      for (const fiber of [holder, waiter]) assert.isTrue(Exit.hasDies(yield* Fiber.join(fiber)))
      assert.deepInclude(stateOf(policy), { running: 0, waiting: 0 })
    }))
})
