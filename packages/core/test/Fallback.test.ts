import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Duration, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Fallback from "../src/policy/Fallback.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"

class Down extends Data.TaggedError("Down") {}
class NotFound extends Data.TaggedError("NotFound") {}

const read = Operation.make("read", { idempotent: true })
const down: Effect.Effect<number, Down> = Effect.fail(new Down())

describe("fallback", () => {
  it.effect("answers with a value, or with what another effect gives or fails with", () =>
    Effect.gen(function*() {
      const toZero = Fallback.value(0)
      assert.strictEqual(yield* Fallback.apply(down, toZero, read), 0)
      assert.strictEqual(yield* Fallback.apply(Effect.succeed(7), toZero, read), 7)
      assert.strictEqual(yield* down.pipe(Fallback.apply(Fallback.effect(Effect.succeed("cached")), read)), "cached")
      const error = yield* Effect.flip(Fallback.apply(down, Fallback.effect(Effect.fail(new NotFound())), read))
      assert.instanceOf(error, NotFound)
      assert.deepStrictEqual(Fallback.snapshot(toZero), { replaced: 1, passedOn: 0, kept: 0 })
    }))

  it.effect("leaves errors that it is not for, defects and interruptions as they are", () =>
    Effect.gen(function*() {
      const onDown = Fallback.value(0, { on: ["Down"] })
      assert.strictEqual(yield* Fallback.apply(down, onDown, read), 0)
      assert.instanceOf(yield* Effect.flip(Fallback.apply(Effect.fail(new NotFound()), onDown, read)), NotFound)
      const anything = Fallback.value(0)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Fallback.apply(Effect.die("bug"), anything, read))))
      const interrupted = yield* Effect.exit(Fallback.apply(Effect.interrupt, anything, read))
      assert.isTrue(Exit.isFailure(interrupted) && Cause.hasInterrupts(interrupted.cause))
      assert.deepStrictEqual(Fallback.snapshot(anything), { replaced: 0, passedOn: 0, kept: 0 })
      assert.strictEqual(Fallback.snapshot(onDown).passedOn, 1)
    }))

  it.effect("answers with the last good value while it is young enough, and fails as the call did without one", () =>
    Effect.gen(function*() {
      const last = Fallback.stale<number>({ within: "1 minute" })
      const failing = Fallback.apply(down, last, read)
      assert.instanceOf(yield* Effect.flip(failing), Down)
      yield* Fallback.apply(Effect.succeed(1), last, read)
      yield* Fallback.apply(Effect.succeed(2), last, read)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* failing, 2)
      yield* TestClock.adjust(1)
      assert.instanceOf(yield* Effect.flip(failing), Down)
      assert.deepStrictEqual(Fallback.snapshot(last), { replaced: 1, passedOn: 2, kept: 1 })
    }))

  it.effect("keeps the values of names and keys apart, and so many of them at most", () =>
    Effect.gen(function*() {
      const last = Fallback.stale<string>({ within: "1 minute", maxKeys: 4 })
      const of = (name: string, key?: string) => Operation.make(name, { idempotent: true, key })
      const failing: Effect.Effect<string, Down> = Effect.fail(new Down())
      yield* Fallback.apply(Effect.succeed("x of a"), last, of("a", "x"))
      yield* Fallback.apply(Effect.succeed("y of a"), last, of("a", "y"))
      assert.strictEqual(yield* Fallback.apply(failing, last, of("a", "x")), "x of a")
      assert.instanceOf(yield* Effect.flip(Fallback.apply(failing, last, of("b", "x"))), Down)
      assert.instanceOf(yield* Effect.flip(Fallback.apply(failing, last, of("a"))), Down)
      for (let n = 0; n < 100; n++) yield* Fallback.apply(Effect.succeed("z"), last, of("z", String(n)))
      assert.isAtMost(Fallback.snapshot(last).kept, 4)
    }))

  it.effect("stands around a policy, whose breaker sees the failures", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { window: 2, minimumCalls: 2 } })
      const guarded = Policy.apply(down, policy, read).pipe(Fallback.apply(Fallback.value(0), read))
      for (let n = 0; n < 5; n++) assert.strictEqual(yield* guarded, 0)
      assert.deepInclude(Policy.snapshot(policy), { circuitOpened: 1, circuitRejected: 3 })
    }))

  it.effect("tells what it answered with, how old that was, and why", () =>
    Effect.gen(function*() {
      const last = Fallback.stale<number>({ within: "1 minute" })
      const heard = yield* Effect.forkChild(Stream.runCollect(Stream.take(Fallback.events(last), 1)), {
        startImmediately: true
      })
      yield* Effect.yieldNow
      yield* Fallback.apply(Effect.succeed(1), last, read)
      yield* TestClock.adjust("2 seconds")
      yield* Fallback.apply(down, last, read)
      const [event] = yield* Fiber.join(heard)
      assert.deepInclude(event, { _tag: "FellBack", operation: "read", to: "stale" })
      assert.strictEqual(Duration.toMillis(event!.age!), 2000)
      assert.instanceOf(event!.cause, Down)
    }))

  it("refuses options out of range", () => {
    assert.throws(() => Fallback.stale({ within: "0 seconds" }), RangeError, /within/)
    assert.throws(() => Fallback.stale({ within: 1, maxKeys: 1 }), RangeError, /maxKeys/)
  })
})
