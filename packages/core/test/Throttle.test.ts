import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Scheduler, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import type * as PolicyError from "../src/policy/PolicyError.ts"
import * as Throttle from "../src/policy/Throttle.ts"
import { Down, drawing } from "./support/calls.ts"
import { yieldAt } from "./support/interrupts.ts"

const operation = Operation.make("work", { idempotent: true })
const refused = Effect.fail(new Down({ outcome: Outcome.failure("yes") }))

const run = <A, E, E2>(policy: Policy.Policy<E>, work: Effect.Effect<A, E2>) => Policy.apply(work, policy, operation)
const times = <A, E>(count: number, effect: Effect.Effect<A, E>) => Effect.replicateEffect(Effect.exit(effect), count)
const windowOf = (policy: Policy.Policy<unknown>) => Policy.snapshot(policy).throttle!

/** The share that it would hold back now. */
const shareHeldBack = (policy: Policy.Policy<PolicyError.PolicyError<PolicyError.Throttled>>) =>
  run(policy, Effect.succeed(0)).pipe(
    drawing(0),
    Effect.catchReason("PolicyError", "Throttled", ({ share }) => Effect.succeed(share))
  )

describe("the throttle", () => {
  it.effect("holds back by the share of calls that the backend did not accept", () =>
    Effect.gen(function*() {
      for (const [accepted, failed, share] of [[50, 50, 0], [40, 60, 20 / 101], [25, 75, 50 / 101]] as const) {
        const policy = Throttle.make()
        yield* times(accepted, run(policy, Effect.void).pipe(drawing(0.99)))
        yield* times(failed, run(policy, refused).pipe(drawing(0.99)))
        assert.deepStrictEqual(windowOf(policy), { requests: 100, accepts: accepted })
        assert.closeTo(yield* shareHeldBack(policy), share, 1e-9)
      }
    }))

  it.effect("says what it knows in the error, counts it, and is nobody's fault", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ throttle: {} })
      yield* times(9, run(policy, refused).pipe(drawing(0.99)))
      const error = yield* Effect.flip(run(policy, Effect.void).pipe(drawing(0)))
      assert.deepStrictEqual(error.reason, {
        _tag: "Throttled",
        operation: "work",
        share: 0.9,
        requests: 10,
        accepts: 0
      })
      assert.deepStrictEqual(error.outcome, { _tag: "Ignored", sent: "no" })
      assert.strictEqual(Policy.snapshot(policy).throttled, 1)
    }))

  it.effect("lets one call in ten through at least, so that it sees when the backend is back", () =>
    Effect.gen(function*() {
      const policy = Throttle.make()
      yield* times(1000, run(policy, refused).pipe(drawing(0.99)))
      assert.closeTo(yield* shareHeldBack(policy), 0.9, 1e-9)
      const mild = Throttle.make({ maxShare: 0.5 })
      yield* times(1000, run(mild, refused).pipe(drawing(0.99)))
      assert.closeTo(yield* shareHeldBack(mild), 0.5, 1e-9)
    }))

  it.effect("counts a call when it begins, and forgets it when it says nothing of the backend", () =>
    Effect.gen(function*() {
      const policy = Throttle.make()
      const fiber = yield* Effect.forkChild(run(policy, Effect.sleep("1 second")), { startImmediately: true })
      assert.deepStrictEqual(windowOf(policy), { requests: 1, accepts: 0 })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(windowOf(policy), { requests: 1, accepts: 1 })
      for (const outcome of [Outcome.ignored("no"), Outcome.heldOff]) {
        yield* Effect.exit(run(policy, Effect.fail(new Down({ outcome }))))
      }
      const interrupted = yield* Effect.forkChild(run(policy, Effect.never), { startImmediately: true })
      yield* Fiber.interrupt(interrupted)
      assert.deepStrictEqual(windowOf(policy), { requests: 1, accepts: 1 })
    }))

  it.effect("forgets what is older than its window, part by part", () =>
    Effect.gen(function*() {
      const policy = Throttle.make({ window: "40 seconds" })
      yield* times(10, run(policy, Effect.void))
      yield* TestClock.adjust("20 seconds")
      yield* times(5, run(policy, Effect.void))
      assert.deepStrictEqual(windowOf(policy), { requests: 15, accepts: 15 })
      yield* TestClock.adjust("20 seconds")
      yield* run(policy, Effect.void)
      assert.deepStrictEqual(windowOf(policy), { requests: 6, accepts: 6 })
      yield* TestClock.adjust("1 hour")
      yield* run(policy, Effect.void)
      assert.deepStrictEqual(windowOf(policy), { requests: 1, accepts: 1 })
    }))

  it.effect("does not count an answer to a call that it has forgotten", () =>
    Effect.gen(function*() {
      const policy = Throttle.make({ window: "40 seconds" })
      const slow = yield* Effect.forkChild(run(policy, Effect.sleep("50 seconds")), { startImmediately: true })
      const cut = yield* Effect.forkChild(run(policy, Effect.never), { startImmediately: true })
      yield* TestClock.adjust("45 seconds")
      yield* run(policy, Effect.void)
      yield* Fiber.interrupt(cut)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(slow)
      assert.deepStrictEqual(windowOf(policy), { requests: 1, accepts: 1 })
    }))

  it.effect("holds nothing back for an outage whose end the last calls show", () =>
    Effect.gen(function*() {
      const policy = Throttle.make({ window: "40 seconds" })
      yield* times(100, run(policy, refused).pipe(drawing(0.99)))
      yield* TestClock.adjust("10 seconds")
      yield* times(10, run(policy, Effect.void).pipe(drawing(0.99)))
      assert.deepStrictEqual(windowOf(policy), { requests: 110, accepts: 10 })
      assert.strictEqual(yield* shareHeldBack(policy), 0)
    }))

  it.effect("holds nothing back for a key by what it knows of another, and says whose calls it holds back", () =>
    Effect.gen(function*() {
      const policy = Throttle.make({ perKey: {} })
      const to = (key?: string) => Operation.make("work", { idempotent: true, key })
      const failing = (key?: string) => times(9, Policy.apply(refused, policy, to(key)).pipe(drawing(0.99)))
      yield* failing("sick")
      yield* failing()
      const { reason } = yield* Effect.flip(Policy.apply(Effect.void, policy, to("sick")).pipe(drawing(0)))
      assert.deepInclude(reason, { _tag: "Throttled", key: "sick", requests: 10, accepts: 0 })
      yield* Policy.apply(Effect.void, policy, to("well")).pipe(drawing(0))
      const common = yield* Effect.flip(Policy.apply(Effect.void, policy, to()).pipe(drawing(0)))
      assert.notProperty(common.reason, "key")
      assert.deepStrictEqual(windowOf(policy), { requests: 21, accepts: 1 })
    }))

  it.effect("keeps so many keys at most, and none for long that nobody asks for", () =>
    Effect.gen(function*() {
      const policy = Throttle.make({ perKey: { max: 10, idle: "1 minute" }, window: "1 hour" })
      const ask = (key: string) => Policy.apply(Effect.void, policy, Operation.make("work", { idempotent: true, key }))
      for (let n = 0; n < 1000; n++) yield* ask(`${n}`)
      assert.isAtMost(windowOf(policy).requests, 10)
      for (let minute = 0; minute < 3; minute++) {
        yield* TestClock.adjust("1 minute")
        yield* ask(`new ${minute}`)
      }
      assert.deepStrictEqual(windowOf(policy), { requests: 2, accepts: 2 })
    }))

  it.live("keeps its counts right when the interrupt lands at any operation", () =>
    Effect.gen(function*() {
      for (let at = 0; at < 20; at++) {
        const policy = Throttle.make()
        const fiber = Effect.runFork(
          Effect.provideService(Effect.exit(run(policy, Effect.never)), Scheduler.Scheduler, yieldAt(at))
        )
        fiber.interruptUnsafe()
        yield* Fiber.await(fiber)
        assert.deepStrictEqual(windowOf(policy), { requests: 0, accepts: 0 }, `operation ${at}`)
      }
    }))

  it.effect("tells who listens that it held a call back", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ throttle: {} })
      const heard = yield* Effect.forkChild(Stream.runHead(Policy.events(policy)), { startImmediately: true })
      yield* Effect.yieldNow
      yield* times(9, run(policy, refused).pipe(drawing(0.99)))
      yield* Effect.exit(run(policy, Effect.void).pipe(drawing(0)))
      const event = yield* Fiber.join(heard)
      assert.deepInclude(Option.getOrThrow(event), { _tag: "Throttled", share: 0.9 })
    }))

  it("refuses options out of range", () => {
    assert.throws(() => Throttle.make({ multiplier: 0.5 }), RangeError, /"multiplier" is 0.5/)
    assert.throws(() => Throttle.make({ multiplier: NaN }), RangeError, /"multiplier"/)
    assert.throws(() => Throttle.make({ maxShare: 1 }), RangeError, /"maxShare" is 1/)
    assert.throws(() => Throttle.make({ perKey: { max: 1 } }), RangeError, /"perKey.max" is 1/)
    assert.throws(() => Throttle.make({ window: 0 }), RangeError, /"window"/)
  })
})
