import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Deadline from "../src/policy/Deadline.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import type { DeadlineExceeded, PolicyError } from "../src/policy/PolicyError.ts"
import { Down, drawing, scripted } from "./support/calls.ts"

const read = Operation.make("read", { idempotent: true })
const refusedBeforeSending = Effect.fail(new Down({ outcome: Outcome.failure("no") }))
const lost = Effect.fail(new Down({ outcome: Outcome.failure("unknown") }))

/** How the effect ended and when, after enough virtual time for anything here to end. */
const ending = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(Effect.flatMap(
      Effect.exit(effect),
      (exit) => Effect.map(Clock.currentTimeMillis, (now) => ({ exit, after: now - start }))
    ))
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

/** The reason with which the effect failed, and when. */
const exceeded = <A>(effect: Effect.Effect<A, PolicyError<DeadlineExceeded> | Down>) =>
  Effect.gen(function*() {
    const { after, exit } = yield* ending(Effect.flip(effect))
    if (exit._tag === "Success" && exit.value._tag === "PolicyError") return { ...exit.value.reason, after }
    return assert.fail(`not a deadline: ${String(exit)}`)
  })

describe("Deadline", () => {
  it.effect("ends a call that is still running at its deadline, not a millisecond before", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Policy.apply(Effect.never, Deadline.make("5 seconds"), read))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
    }))

  it.effect("lets a call that ends in time end as it does", () =>
    Effect.gen(function*() {
      const policy = Deadline.make("5 seconds")
      const value = yield* ending(Policy.apply(Effect.delay(Effect.succeed(1), "4999 millis"), policy, read))
      assert.deepStrictEqual(value, { exit: Exit.succeed(1), after: 4999 })
      const failed = yield* ending(Policy.apply(Effect.fail("no"), policy, read))
      assert.deepStrictEqual(failed, { exit: Exit.fail("no"), after: 0 })
    }))

  it.effect("bounds all attempts and the delays between them, and says what the last failure was", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ deadline: "1 second", retry: { times: 9 } })
      const failure = new Down({ outcome: Outcome.failure("unknown") })
      const call = scripted(
        Effect.delay(Effect.fail(failure), "300 millis"),
        Effect.delay(Effect.fail(failure), "300 millis"),
        Effect.never
      )
      const reason = yield* exceeded(Policy.apply(call.effect, policy, read)).pipe(drawing(0.5))
      assert.strictEqual(reason.after, 1000)
      assert.strictEqual(reason.attempts, 3)
      assert.strictEqual(reason.operation, "read")
      assert.strictEqual(reason.cause, failure)
      assert.strictEqual(Duration.toMillis(reason.deadline), 1000)
      assert.strictEqual(Duration.toMillis(reason.elapsed), 1000)
    }))

  it.effect("makes no attempt that it could not wait for: the last error is returned at once", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ deadline: "100 millis", retry: { times: 9 } })
      for (const [share, runs] of [[1, 1], [0.99, 2]] as const) {
        const call = scripted(lost)
        const error = Effect.flip(Policy.apply(call.effect, policy, read))
        const { after, exit } = yield* ending(error).pipe(drawing(share))
        assert.strictEqual(call.runs, runs)
        assert.strictEqual(after, runs === 1 ? 0 : 99)
        assert.deepStrictEqual(exit, Exit.succeed(yield* Effect.flip(lost)))
      }
    }))

  it.effect("gives the earlier of two nested deadlines, whichever is outside", () =>
    Effect.gen(function*() {
      const short = Deadline.make("1 second")
      const long = Deadline.make("3 seconds")
      const inner = Operation.make("inner", { idempotent: true })
      const nested = (outside: typeof short, inside: typeof short) =>
        exceeded(Policy.apply(Policy.apply(Effect.never, inside, inner), outside, read))
      const within = yield* nested(long, short)
      assert.deepStrictEqual([within.after, within.operation], [1000, "inner"])
      const around = yield* nested(short, long)
      assert.deepStrictEqual([around.after, around.operation], [1000, "read"])
    }))

  it.effect("holds where the work outlives the deadline it inherited", () =>
    Effect.gen(function*() {
      const late = Policy.apply(Effect.never, Deadline.make("3 seconds"), read)
      const fiber = yield* Policy.apply(Effect.forkDetach(late), Deadline.make("1 second"), read)
      const reason = yield* exceeded(Fiber.join(fiber))
      assert.deepStrictEqual([reason.after, Duration.toMillis(reason.deadline)], [1100, 1000])
    }))

  it.effect("fails a call at once, unsent and without an attempt, where the inherited deadline has passed", () =>
    Effect.gen(function*() {
      const call = scripted(Effect.succeed(1))
      const policy = Deadline.make("3 seconds")
      const late = Effect.delay(Policy.apply(call.effect, policy, read), "2 seconds")
      const fiber = yield* Policy.apply(Effect.forkDetach(late), Deadline.make("1 second"), read)
      const reason = yield* exceeded(Fiber.join(fiber))
      assert.deepStrictEqual([call.runs, reason.attempts, reason.sent, reason.after], [0, 0, "no", 2000])
      assert.strictEqual(Policy.snapshot(policy).attempts, 0)
    }))

  it.effect("can be left behind by work that outlives the call", () =>
    Effect.gen(function*() {
      const inside = yield* Policy.apply(Policy.detached(Deadline.remaining), Deadline.make("1 second"), read)
      assert.deepStrictEqual(inside, Duration.infinity)
    }))

  it.effect("tells what is left of it", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Deadline.remaining, Duration.infinity)
      const inside = yield* Effect.forkChild(Policy.apply(
        Effect.delay(Deadline.remaining, "400 millis"),
        Deadline.make("1 second"),
        read
      ))
      yield* TestClock.adjust("400 millis")
      assert.strictEqual(Duration.toMillis(yield* Fiber.join(inside)), 600)
    }))

  it.effect("waits until the interrupted work has let go of what it held", () =>
    Effect.gen(function*() {
      let held = true
      const work = Effect.onInterrupt(Effect.never, () => Effect.delay(Effect.sync(() => held = false), "100 millis"))
      const reason = yield* exceeded(Policy.apply(work, Deadline.make("1 second"), read))
      assert.strictEqual(reason.after, 1100)
      assert.isFalse(held)
    }))

  describe("says whether anything may have been sent", () => {
    const policy = Policy.make({ deadline: "1 second", retry: { times: 3, schedule: Schedule.spaced("100 millis") } })
    const sent = (call: (attempt: Policy.Attempt<never>) => Effect.Effect<void, Down>) =>
      Effect.map(exceeded(Policy.run(policy, read, call)), (reason) => reason.sent)

    it.effect("no, while the call still waits outside of its attempt", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* sent((attempt) => Effect.andThen(Effect.never, attempt(Effect.void))), "no")
      }))

    it.effect("unknown, while an attempt is running", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* sent((attempt) => attempt(Effect.never)), "unknown")
      }))

    it.effect("unknown, for a call that takes no attempt", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* sent(() => Effect.never), "unknown")
      }))

    it.effect("no, when attempts before were surely not sent", () =>
      Effect.gen(function*() {
        const call = scripted(refusedBeforeSending, Effect.never)
        let waits = 0
        assert.strictEqual(
          yield* sent((attempt) => Effect.suspend(() => waits++ === 0 ? attempt(call.effect) : Effect.never)),
          "no"
        )
      }))

    it.effect("what is known of attempts before", () =>
      Effect.gen(function*() {
        const rows = [
          [["yes", "no"], "yes"],
          [["unknown", "no"], "unknown"],
          [["yes", "unknown"], "yes"],
          [["unknown", "yes"], "yes"]
        ] as const
        for (const [[first, second], known] of rows) {
          const call = scripted(
            Effect.fail(new Down({ outcome: Outcome.failure(first) })),
            Effect.fail(new Down({ outcome: Outcome.failure(second) })),
            Effect.never
          )
          assert.strictEqual(yield* sent((attempt) => attempt(call.effect)), known)
        }
      }))
  })

  it.live("is the same instant by a clock that wraps the live one", () =>
    Effect.gen(function*() {
      const wrapped: Clock.Clock = Object.create(yield* Clock.clockWith(Effect.succeed))
      const inside = Effect.provideService(Deadline.remaining, Clock.Clock, wrapped)
      const left = yield* Policy.apply(inside, Deadline.make("1 hour"), read)
      assert.closeTo(Duration.toMinutes(left), 60, 5)
    }))

  it("throws a RangeError for a duration that is no bound", () => {
    for (const bad of [0, -1, Infinity, NaN]) {
      assert.throws(
        () => Deadline.make(bad),
        RangeError,
        /"deadline" is .*; allowed is a finite duration longer than zero/
      )
    }
  })
})
