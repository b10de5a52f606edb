import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Option, Random, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as PolicyError from "../src/policy/PolicyError.ts"
import * as Retry from "../src/policy/Retry.ts"
import * as RetryBudget from "../src/policy/RetryBudget.ts"
import { Down, drawing, scripted } from "./support/calls.ts"

const read = Operation.make("read", { idempotent: true })
const write = Operation.make("write", { idempotent: false })
const down = (outcome: Outcome.Outcome) => Effect.fail(new Down({ outcome }))
const times = (count: number) => Array.from({ length: count }, (_, index) => index)

/** Runs a policy over an effect, lets a minute pass, and gives how it ended. */
const settled = <E, Repeats extends boolean, A, E2>(
  policy: Policy.Policy<E, Operation.Operation, Repeats>,
  operation: Operation.Operation,
  effect: Effect.Effect<A, E2>
) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Policy.apply(effect, policy, operation))
    yield* TestClock.adjust("1 minute")
    const exit = fiber.pollUnsafe()
    return exit ?? assert.fail("still running after a minute")
  })

/** What a schedule would wait, in milliseconds. */
const delays = (schedule: Schedule.Schedule<Duration.Duration>, count: number) =>
  Effect.gen(function*() {
    const step = yield* Schedule.toStep(schedule)
    return yield* Effect.forEach(times(count), () =>
      Effect.map(step(0, undefined), ([, delay]) => Duration.toMillis(delay)))
  })

/** When the attempts of a failing call begin, in milliseconds from the first. */
const instants = (options: Retry.Options, outcome: Outcome.Outcome) =>
  Effect.gen(function*() {
    const at: Array<number> = []
    const start = yield* Clock.currentTimeMillis
    const call = Effect.andThen(Effect.map(Clock.currentTimeMillis, (now) => at.push(now - start)), down(outcome))
    yield* settled(Retry.whenSafe(options), read, call).pipe(drawing(0.5))
    return at
  })

describe("Retry.fullJitter", () => {
  it.effect("draws between nothing and the doubled base, up to the cap", () =>
    Effect.gen(function*() {
      const schedule = Retry.fullJitter({ base: "100 millis", cap: "1 second" })
      assert.deepStrictEqual(yield* delays(schedule, 6).pipe(drawing(1)), [100, 200, 400, 800, 1000, 1000])
      assert.deepStrictEqual(yield* delays(schedule, 6).pipe(drawing(0.5)), [50, 100, 200, 400, 500, 500])
      assert.deepStrictEqual(yield* delays(schedule, 6).pipe(drawing(0)), [0, 0, 0, 0, 0, 0])
    }))

  it.effect("draws from 100 ms to 2 s where nothing is given", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* delays(Retry.fullJitter(), 8).pipe(drawing(1)),
        [100, 200, 400, 800, 1600, 2000, 2000, 2000]
      )
    }))

  it.effect("stays at the cap when the doubled base is beyond all numbers", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* delays(Retry.fullJitter(), 1100).pipe(drawing(1))).at(-1), 2000)
    }))

  for (const seed of ["barge", "groyne", "mole"]) {
    it.effect(`spreads its draws evenly (seed ${seed})`, () =>
      Effect.gen(function*() {
        const count = 4000
        const schedule = Retry.fullJitter({ base: "1 second", cap: "1 second" })
        const drawn = yield* delays(schedule, count).pipe(Random.withSeed(seed))
        const tenths = times(10).map((tenth) => drawn.filter((ms) => Math.floor(ms / 100) === tenth).length)
        // Five standard deviations of a tenth's count.
        const tolerance = 5 * Math.sqrt(count * 0.1 * 0.9)
        for (const found of tenths) {
          assert.approximately(found, count / 10, tolerance, `seed ${seed}: ${tenths.join(" ")}`)
        }
        assert.strictEqual(tenths.reduce((sum, found) => sum + found, 0), count, `seed ${seed}: outside of the bounds`)
      }))
  }
})

describe("Retry.decorrelatedJitter", () => {
  it.effect("draws between the base and three times the delay before, up to the cap", () =>
    Effect.gen(function*() {
      const schedule = Retry.decorrelatedJitter({ base: "100 millis", cap: "1 second" })
      assert.deepStrictEqual(yield* delays(schedule, 4).pipe(drawing(1)), [300, 900, 1000, 1000])
      assert.deepStrictEqual(yield* delays(schedule, 4).pipe(drawing(0.5)), [200, 350, 575, 912.5])
      assert.deepStrictEqual(yield* delays(schedule, 3).pipe(drawing(0)), [100, 100, 100])
    }))

  it.effect("has the bounds of full jitter where nothing is given", () =>
    Effect.gen(function*() {
      const drawn = yield* delays(Retry.decorrelatedJitter(), 6).pipe(drawing(1))
      assert.deepStrictEqual(drawn, [300, 900, 2000, 2000, 2000, 2000])
    }))
})

describe("what is repeated", () => {
  const pushback = Duration.seconds(1)
  const rows = [
    // outcome, repeated when idempotent, repeated when not
    [Outcome.failure("no"), true, true],
    [Outcome.failure("unknown"), true, false],
    [Outcome.failure("yes"), true, false],
    [Outcome.overload("no", pushback), true, true],
    [Outcome.overload("unknown", pushback), true, false],
    [Outcome.overload("yes", pushback), true, false],
    [Outcome.overload("no"), false, false],
    [Outcome.overload("yes"), false, false],
    [Outcome.ignored("no"), false, false],
    [Outcome.ignored("unknown"), false, false],
    [Outcome.ignored("yes"), false, false],
    [Outcome.success, false, false]
  ] as const

  for (const [outcome, whenIdempotent, whenNot] of rows) {
    const name = [
      outcome._tag,
      "sent" in outcome && `sent ${outcome.sent}`,
      "retryAfter" in outcome && outcome.retryAfter && "with pushback"
    ]
      .filter(Boolean).join(" ")
    for (const [operation, repeated] of [[read, whenIdempotent], [write, whenNot]] as const) {
      it.effect(`${repeated ? "repeats" : "does not repeat"} ${name} of a ${operation.name}`, () =>
        Effect.gen(function*() {
          const call = scripted(down(outcome), Effect.succeed("done"))
          const exit = yield* settled(Retry.whenSafe({ times: 1 }), operation, call.effect)
          assert.strictEqual(call.runs, repeated ? 2 : 1)
          assert.strictEqual(exit._tag, repeated ? "Success" : "Failure")
        }))
    }
  }

  it.effect("repeats a write that may have been sent only where told to by anyOperation", () =>
    Effect.gen(function*() {
      const call = scripted(down(Outcome.failure("unknown")), Effect.succeed("done"))
      const exit = yield* settled(Retry.anyOperation({ times: 1 }), write, call.effect)
      assert.deepStrictEqual(exit, Exit.succeed("done"))
    }))

  it.effect("repeats a plain failure of an idempotent operation, and asks the given classifier where there is one", () =>
    Effect.gen(function*() {
      const plain = scripted(Effect.fail("lost"), Effect.succeed("done"))
      assert.deepStrictEqual(yield* settled(Retry.whenSafe({ times: 1 }), read, plain.effect), Exit.succeed("done"))
      const classified = scripted(Effect.fail("lost"), Effect.succeed("done"))
      const policy = Retry.whenSafe({ times: 1, classify: () => Outcome.ignored("no") })
      assert.deepStrictEqual(yield* settled(policy, read, classified.effect), Exit.fail("lost"))
    }))

  it.effect("never repeats a defect, alone or beside a failure", () =>
    Effect.gen(function*() {
      const beside = Cause.combine(Cause.fail(new Down({ outcome: Outcome.failure("no") })), Cause.die("bug"))
      for (const cause of [Cause.die("bug"), beside]) {
        const call = scripted(Effect.failCause(cause))
        const exit = yield* settled(Retry.whenSafe({ times: 3 }), read, call.effect)
        assert.strictEqual(call.runs, 1)
        assert.deepStrictEqual(exit, Exit.failCause(cause))
      }
    }))

  it.effect("never repeats an interruption, of the call or within it", () =>
    Effect.gen(function*() {
      const within = scripted(Effect.interrupt)
      const exit = yield* settled(Retry.whenSafe({ times: 3 }), read, within.effect)
      assert.isTrue(Exit.hasInterrupts(exit))
      assert.strictEqual(within.runs, 1)

      const working = scripted(Effect.never)
      const fiber = yield* Effect.forkChild(Policy.apply(working.effect, Retry.make({ times: 3 }), read))
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.strictEqual(working.runs, 1)
    }))

  it.effect("ends at once when interrupted while it waits for the next attempt", () =>
    Effect.gen(function*() {
      const call = scripted(down(Outcome.failure("no")))
      const fiber = yield* Effect.forkChild(Policy.apply(call.effect, Retry.make({ times: 3 }), read).pipe(drawing(1)))
      yield* TestClock.adjust("50 millis")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(call.runs, 1)
    }))
})

describe("what was refused by an open circuit", () => {
  it.effect("fails at once, however much of the deadline is left, and gives no word of a retry", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ deadline: "1 minute", retry: { times: 3 }, breaker: { window: 1, openFor: 1000 } })
      const call = scripted(down(Outcome.failure("yes")), Effect.succeed("done"))
      yield* Effect.exit(Policy.apply(call.effect, policy, write))
      const exit = (yield* Effect.forkChild(Policy.apply(call.effect, policy, read), { startImmediately: true }))
        .pollUnsafe()
      const error = exit?._tag === "Failure" ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
      assert.isTrue(PolicyError.isPolicyError(error) && error.reason._tag === "CircuitOpen")
      assert.strictEqual(call.runs, 1)
      assert.deepInclude(Policy.snapshot(policy), { retries: 0, retriesExhausted: 0, circuitRejected: 1 })
    }))

  it.effect("ends a retry under way: no attempt follows the one that opened it", () =>
    Effect.gen(function*() {
      const policy = Policy.make({
        deadline: "1 hour",
        retry: { times: 5 },
        breaker: { window: 2, openFor: "10 minutes" }
      })
      const call = scripted(down(Outcome.failure("no")))
      yield* settled(policy, read, call.effect).pipe(drawing(0.5))
      assert.strictEqual(call.runs, 2)
    }))
})

describe("how often and when", () => {
  it.effect("makes one attempt more than `times` and fails with the very error of the last", () =>
    Effect.gen(function*() {
      const errors = times(4).map(() => new Down({ outcome: Outcome.failure("no") }))
      const call = scripted(...errors.map((error) => Effect.fail(error)))
      const exit = yield* settled(Retry.whenSafe({ times: 2 }), read, call.effect)
      assert.strictEqual(call.runs, 3)
      const failed = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
      assert.strictEqual(failed, errors[2])
    }))

  it.effect("makes one attempt when `times` is 0", () =>
    Effect.gen(function*() {
      const call = scripted(down(Outcome.failure("no")))
      yield* settled(Retry.whenSafe({ times: 0 }), read, call.effect)
      assert.strictEqual(call.runs, 1)
    }))

  it.effect("waits between the attempts as its schedule draws", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* instants({ times: 3 }, Outcome.failure("no")), [0, 50, 150, 350])
    }))

  it.effect("takes a schedule of one's own, and ends when it ends", () =>
    Effect.gen(function*() {
      const schedule = Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 2 }))
      assert.deepStrictEqual(yield* instants({ times: 5, schedule }, Outcome.failure("no")), [0, 2000, 4000])
    }))

  it.effect("comes back to an overloaded backend no earlier than told, the jitter on top", () =>
    Effect.gen(function*() {
      const outcome = Outcome.overload("no", Duration.seconds(2))
      assert.deepStrictEqual(yield* instants({ times: 2 }, outcome), [0, 2050, 4150])
    }))

  it.effect("comes back within a second when it is prompt, and doubles a second when it is patient, three times", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* instants(Retry.prompt, Outcome.failure("no")), [0, 50, 150, 350])
      assert.deepStrictEqual(yield* instants(Retry.patient, Outcome.failure("no")), [0, 500, 1500, 3500])
    }))

  it.effect("makes no attempt for which too little time is left, by how long they take that succeed", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ deadline: "1 second", retry: { times: 1 } })
      const runs = (work: Effect.Effect<string, Down>) =>
        Effect.gen(function*() {
          const call = scripted(work)
          yield* settled(policy, read, call.effect).pipe(drawing(0))
          return call.runs
        })
      const failed = (after: Duration.Input) => Effect.delay(down(Outcome.failure("no")), after)
      assert.strictEqual(yield* runs(failed("700 millis")), 2)
      for (const _ of times(16)) yield* runs(Effect.delay(Effect.succeed("done"), "400 millis"))
      assert.strictEqual(yield* runs(failed("700 millis")), 1)
      assert.strictEqual(yield* runs(failed("500 millis")), 2)
      // It forgets slow times.
      for (const _ of times(200)) yield* runs(Effect.succeed("done"))
      assert.strictEqual(yield* runs(failed("700 millis")), 2)
    }))

  it.effect("tells from the cause of the last error how many attempts there were, and how long they took", () =>
    Effect.gen(function*() {
      const attemptsOf = (policy: Policy.Policy<unknown>) =>
        Effect.map(
          settled(policy, read, Effect.delay(down(Outcome.failure("no")), 10)).pipe(drawing(0.5)),
          (exit) => exit._tag === "Failure" ? Option.getOrUndefined(Retry.attemptsOf(exit.cause)) : undefined
        )
      const bounded = yield* attemptsOf(Policy.make({ deadline: "1 minute", retry: { times: 2 } }))
      assert.deepStrictEqual(bounded, { made: 3, of: 3, elapsed: Duration.millis(180) })
      const unbounded = yield* attemptsOf(Policy.make({ retry: { times: 2 } }))
      assert.deepStrictEqual(unbounded, { made: 3, of: 3, elapsed: Duration.millis(170) })
      const budget = RetryBudget.make({ perSecond: 1 })
      assert.deepInclude(yield* attemptsOf(Policy.make({ retry: { times: 5, budget } })), { made: 2, of: 6 })
      assert.isUndefined(yield* attemptsOf(Policy.make({ retry: { times: 0 } })))
      assert.isUndefined(yield* attemptsOf(Policy.make({ deadline: 20, retry: { times: 5 } })))
    }))

  it.effect("does not wait for a backend that asks for more than maxRetryAfter", () =>
    Effect.gen(function*() {
      const asking = (retryAfter: Duration.Input) =>
        instants({ times: 1, maxRetryAfter: "3 seconds" }, Outcome.overload("no", Duration.fromInputUnsafe(retryAfter)))
      assert.deepStrictEqual(yield* asking("3 seconds"), [0, 3050])
      assert.deepStrictEqual(yield* asking("3001 millis"), [0])
      assert.deepStrictEqual(yield* instants({ times: 1 }, Outcome.overload("no", Duration.seconds(31))), [0])
    }))
})

describe("options out of range", () => {
  const refused: ReadonlyArray<readonly [() => unknown, RegExp]> = [
    [() => Retry.make({ times: -1 }), /"times" is -1; allowed is a whole number of 0 or more/],
    [() => Retry.whenSafe({ times: 1.5 }), /"times" is 1\.5/],
    [() => Retry.anyOperation({ times: Infinity }), /"times" is Infinity/],
    [
      () => Retry.make({ times: 1, maxRetryAfter: 0 }),
      /"maxRetryAfter" is 0; allowed is a finite duration longer than zero/
    ],
    [() => Retry.fullJitter({ base: "0 millis" }), /"base" is "0 millis"/],
    [() => Retry.fullJitter({ cap: Duration.infinity }), /"cap" is Infinity/],
    [
      () => Retry.fullJitter({ base: "2 seconds", cap: "1 second" }),
      /"base" is 2s; allowed is at most the cap, which is 1s/
    ]
  ]
  for (const [make, message] of refused) {
    it(`throws a RangeError that says ${message.source}`, () => assert.throws(make, RangeError, message))
  }
})
