import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Deadline from "../src/policy/Deadline.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as Timeout from "../src/policy/Timeout.ts"
import { drawing, scripted } from "./support/calls.ts"

const read = Operation.make("read", { idempotent: true })
const write = Operation.make("write", { idempotent: false })

describe("Timeout", () => {
  it.effect("counts from the start of the attempt's work, not while the call waits to begin it", () =>
    Effect.gen(function*() {
      const policy = Timeout.make("1 second")
      const borrow = Effect.sleep("10 seconds")
      const fiber = yield* Effect.forkChild(Effect.flip(
        Policy.run(policy, read, (attempt) => Effect.andThen(borrow, attempt(Effect.never)))
      ))
      yield* TestClock.adjust("10999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const { outcome, reason } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(outcome, { _tag: "Failure", sent: "unknown" })
      assert.deepStrictEqual(reason, {
        _tag: "AttemptTimeout",
        operation: "read",
        timeout: Duration.seconds(1),
        attempt: 1,
        sent: "unknown"
      })
    }))

  it.effect("counts for each attempt anew, and says which it was", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ timeout: "1 second", retry: { times: 2 } })
      const call = scripted(Effect.never)
      const fiber = yield* Effect.forkChild(Effect.flip(Policy.apply(call.effect, policy, read)).pipe(drawing(0)))
      yield* TestClock.adjust("3 seconds")
      const { reason } = yield* Fiber.join(fiber)
      assert.strictEqual(call.runs, 3)
      assert.strictEqual(reason.attempt, 3)
    }))

  it.effect("is not repeated for an operation that is not idempotent: it may have taken effect", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ timeout: "1 second", retry: { times: 2 } })
      const call = scripted(Effect.never)
      const fiber = yield* Effect.forkChild(Policy.apply(call.effect, policy, write))
      yield* TestClock.adjust("1 minute")
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      assert.strictEqual(call.runs, 1)
    }))

  it.effect("can be handled by the call itself, between attempt and run", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Policy.run(
        Timeout.make("1 second"),
        read,
        (attempt) =>
          Effect.catchReason(attempt(Effect.never), "PolicyError", "AttemptTimeout", () => Effect.succeed("cut"))
      ))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "cut")
    }))

  it("throws a RangeError unless it is a bound, and shorter than the deadline", () => {
    for (const bad of [0, -1, Infinity, NaN]) {
      assert.throws(
        () => Timeout.make(bad),
        RangeError,
        /"timeout" is .*; allowed is a finite duration longer than zero/
      )
    }
    const message = /"timeout" is 2s; allowed is less than the deadline, which is 2s/
    assert.throws(() => Policy.make({ deadline: "2 seconds", timeout: "2 seconds" }), RangeError, message)
    assert.throws(() => Policy.compose(Deadline.make(2000), Timeout.make(2000)), RangeError, message)
    assert.throws(() => Policy.compose(Timeout.make(2000), Deadline.make(2000)), RangeError, message)
  })
})
