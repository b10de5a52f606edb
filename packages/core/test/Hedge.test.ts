import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Hedge from "../src/policy/Hedge.ts"
import { Latencies } from "../src/policy/internal/latencies.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import type { PolicyEvent } from "../src/policy/PolicyEvent.ts"
import * as Retry from "../src/policy/Retry.ts"
import * as RetryBudget from "../src/policy/RetryBudget.ts"
import * as Timeout from "../src/policy/Timeout.ts"
import { Down, scripted } from "./support/calls.ts"
import { interruptEverywhere } from "./support/interrupts.ts"

const read = Operation.make("read", { idempotent: true })
const write = Operation.make("write", { idempotent: false })
const down = (outcome: Outcome.Outcome) => new Down({ outcome })

/** Answers `what` after so many milliseconds. */
const answer = <A>(what: A, after: Duration.Input) => Effect.delay(Effect.succeed(what), after)
const failure = (after: Duration.Input, outcome: Outcome.Outcome = Outcome.failure("unknown")) =>
  Effect.delay(Effect.fail(down(outcome)), after)

/** How a call ended, and after how many milliseconds; a minute is waited for it, and for whatever it leaves behind. */
const ending = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.timed(Effect.exit(call)))
    yield* TestClock.adjust("1 minute")
    const [took, exit] = yield* Fiber.join(fiber)
    return { after: Duration.toMillis(took), exit }
  })

const hedge = (options: Omit<Hedge.Options, "classify"> = {}) =>
  Policy.make({ hedge: { after: "100 millis", ...options } })

describe("Hedge", () => {
  it.effect("dies where its classifier throws, and tells nobody of a loser that it throws for", () =>
    Effect.gen(function*() {
      let bugs = 0
      const throwingFrom = (from: number) =>
        Hedge.make({
          after: "100 millis",
          classify: (exit) => {
            if (++bugs >= from) throw new Error("a bug")
            return Outcome.fromExit(exit)
          }
        })
      const { after, exit } = yield* ending(Policy.apply(answer("slow", 50), throwingFrom(1), read))
      assert.deepStrictEqual([after, Exit.hasDies(exit)], [50, true])
      bugs = 0
      const won = yield* ending(Policy.apply(scripted(answer(1, 300), answer(2, 10)).effect, throwingFrom(2), read))
      assert.deepStrictEqual([won, bugs], [{ after: 110, exit: Exit.succeed(2) }, 2])
    }))

  it.effect("asks a second time when the first attempt is slow, and takes the answer that comes first", () =>
    Effect.gen(function*() {
      for (
        const [first, second, winner, after, won] of [
          [1000, 50, "second", 150, 1],
          [120, 50, "first", 120, 0],
          [100, 50, "first", 100, 0],
          [99, 0, "first", 99, 0]
        ] as const
      ) {
        const policy = hedge()
        const call = scripted(answer("first", first), answer("second", second))
        const ended = yield* ending(Policy.apply(call.effect, policy, read))
        assert.deepStrictEqual(ended, { after, exit: Exit.succeed(winner) })
        assert.strictEqual(call.runs, first <= 100 ? 1 : 2, `first ${first}`)
        assert.deepInclude(Policy.snapshot(policy), { attempts: call.runs, hedges: call.runs - 1, hedgesWon: won })
      }
    }))

  it.effect("repeats nothing that failed before the second attempt began", () =>
    Effect.gen(function*() {
      const call = scripted(failure(50, Outcome.failure("no")), Effect.succeed("done"))
      const { after, exit } = yield* ending(Policy.apply(call.effect, hedge(), read))
      assert.strictEqual(call.runs, 1)
      assert.strictEqual(after, 50)
      assert.isTrue(Exit.hasFails(exit))
    }))

  it.effect("leaves it to the other attempt when one of two fails, and fails when both do", () =>
    Effect.gen(function*() {
      const firstFails = scripted(failure(120), answer("second", 100))
      assert.deepStrictEqual(yield* ending(Policy.apply(firstFails.effect, hedge(), read)), {
        after: 200,
        exit: Exit.succeed("second")
      })
      const secondFails = scripted(answer("first", 200), failure(10))
      assert.deepStrictEqual(yield* ending(Policy.apply(secondFails.effect, hedge(), read)), {
        after: 200,
        exit: Exit.succeed("first")
      })
      const both = scripted(failure(150), failure(100))
      const { after, exit } = yield* ending(Policy.apply(both.effect, hedge(), read))
      assert.strictEqual(after, 200)
      assert.isTrue(Exit.hasFails(exit))
    }))

  it.effect("takes an error that is an answer, and a bug, as final", () =>
    Effect.gen(function*() {
      const notFound = down(Outcome.success)
      const answered = scripted(Effect.delay(Effect.fail(notFound), 120), answer("second", 1000))
      const { after, exit } = yield* ending(Policy.apply(answered.effect, hedge(), read))
      assert.deepStrictEqual([after, exit], [120, Exit.fail(notFound)])
      const bug = scripted(Effect.delay(Effect.die("bug"), 120), answer("second", 1000))
      assert.deepStrictEqual(yield* ending(Policy.apply(bug.effect, hedge(), read)), {
        after: 120,
        exit: Exit.die("bug")
      })
    }))

  it.effect("asks the given classifier what is an answer", () =>
    Effect.gen(function*() {
      const policy = Hedge.make({ after: "100 millis", classify: () => Outcome.success })
      const call = scripted(failure(120), answer("second", 1000))
      assert.strictEqual((yield* ending(Policy.apply(call.effect, policy, read))).after, 120)
    }))

  it.effect("lets the slower attempt go on to its end, within the deadline of the call", () =>
    Effect.gen(function*() {
      const ends: Array<string> = []
      const slow = (millis: number) =>
        Effect.onExit(answer("first", millis), (exit) => Effect.sync(() => ends.push(exit._tag)))
      for (const [millis, deadline] of [[900, "1 second"], [1100, "1 second"], [1100, undefined]] as const) {
        const policy = Policy.make({ deadline, hedge: { after: "100 millis" } })
        const call = scripted(slow(millis), answer("second", 10))
        assert.strictEqual((yield* ending(Policy.apply(call.effect, policy, read))).after, 110)
      }
      assert.deepStrictEqual(ends, ["Success", "Failure", "Success"])
    }))

  it.effect("does not begin the work of an attempt that still waits to when the call is answered", () =>
    Effect.gen(function*() {
      let waits = 0
      let begun = 0
      const work = Effect.andThen(Effect.sync(() => ++begun), Effect.sleep(500))
      const call = Policy.run(
        hedge(),
        read,
        (attempt) =>
          Effect.andThen(Effect.suspend(() => ++waits === 1 ? Effect.void : Effect.sleep(1000)), attempt(work))
      )
      const { after, exit } = yield* ending(call)
      assert.deepStrictEqual([after, exit, waits, begun], [500, Exit.void, 2, 1])
    }))

  it.effect("interrupts the slower attempt where told that it is cheap, and does not wait for that", () =>
    Effect.gen(function*() {
      let interruptedAt = 0
      const stubborn = Effect.onInterrupt(Effect.never, () =>
        Effect.andThen(
          Effect.map(Clock.currentTimeMillis, (now) => (interruptedAt = now)),
          Effect.sleep("1 second")
        ))
      const call = scripted(stubborn, answer("second", 10))
      const policy = hedge({ cancelLoser: true })
      assert.strictEqual((yield* ending(Policy.apply(call.effect, policy, read))).after, 110)
      assert.strictEqual(interruptedAt, 110)
    }))

  it.effect("interrupts both attempts, and waits for that, when the call is", () =>
    Effect.gen(function*() {
      let cleaned = 0
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => cleaned++))
      const call = scripted(work)
      const fiber = yield* Effect.forkChild(Policy.apply(call.effect, hedge(), read))
      yield* TestClock.adjust("200 millis")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([call.runs, cleaned], [2, 2])
      const early = scripted(work)
      const before = yield* Effect.forkChild(Policy.apply(early.effect, hedge(), read))
      yield* TestClock.adjust("50 millis")
      yield* Fiber.interrupt(before)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(early.runs, 1)
    }))

  it.effect("is bounded by the deadline, which counts both attempts and knows that either may have been sent", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ deadline: "1 second", hedge: { after: "100 millis" } })
      const error = down(Outcome.failure("unknown"))
      const call = scripted(Effect.never, Effect.delay(Effect.fail(error), 10))
      const { after, exit } = yield* ending(Effect.flip(Policy.apply(call.effect, policy, read)))
      assert.strictEqual(after, 1000)
      const reason = Exit.isSuccess(exit) && exit.value._tag === "PolicyError" ? exit.value.reason : assert.fail()
      assert.deepInclude(reason, { _tag: "DeadlineExceeded", attempts: 2, sent: "unknown", cause: error })
    }))
})

describe("a hedge by the latencies measured", () => {
  const policy = () => Policy.make({ hedge: {} })

  /** Calls that each take so long, one after the other. */
  const measured = (hedged: Policy.Policy<unknown>, millis: ReadonlyArray<number>) =>
    Effect.gen(function*() {
      const calls = Effect.forEach(millis, (one) => Policy.apply(Effect.sleep(one), hedged, read), { discard: true })
      const fiber = yield* Effect.forkChild(calls)
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
    })

  it.effect("waits as long as 95 of 100 calls take, once a hundred have been answered", () =>
    Effect.gen(function*() {
      const hedged = policy()
      yield* measured(hedged, Array.from({ length: 99 }, (_, index) => index + 1))
      assert.isUndefined(Policy.snapshot(hedged).hedgeAfter)
      assert.strictEqual(Policy.snapshot(hedged).hedges, 0)
      yield* measured(hedged, [100])
      const after = Duration.toMillis(Policy.snapshot(hedged).hedgeAfter ?? assert.fail("no delay"))
      assert.isTrue(after >= 95 && after <= 95 * 1.045, `${after} ms`)
      const call = scripted(answer("first", 1000), answer("second", 0))
      assert.strictEqual((yield* ending(Policy.apply(call.effect, hedged, read))).after, after)
    }))

  it.effect("counts an attempt that it cancelled as one that takes longer", () =>
    Effect.gen(function*() {
      const hedged = Policy.make({ hedge: { cancelLoser: true, budget: RetryBudget.unlimited } })
      yield* measured(hedged, Array.from({ length: 200 }, () => 10))
      for (let n = 0; n < 64; n++) {
        yield* ending(Policy.apply(scripted(answer("first", 1000), answer("second", 5)).effect, hedged, read))
      }
      assert.isAbove(Duration.toMillis(Policy.snapshot(hedged).hedgeAfter ?? 0), 15)
    }))

  it.effect("follows them when all become slower", () =>
    Effect.gen(function*() {
      const hedged = policy()
      yield* measured(hedged, Array.from({ length: 200 }, () => 10))
      yield* measured(hedged, Array.from({ length: 3000 }, () => 100))
      const after = Duration.toMillis(Policy.snapshot(hedged).hedgeAfter ?? assert.fail("no delay"))
      assert.isTrue(after >= 100 && after <= 105, `${after} ms`)
    }))

  it("knows a percentile to within the width of a bucket, over nine orders of magnitude, and forgets", () => {
    for (const scale of [0.2, 1, 30, 1e3, 1e5]) {
      const latencies = new Latencies(0.9, 100)
      for (let n = 1; n <= 1000; n++) latencies.record((scale * ((n * 37) % 1000)) / 1000)
      const found = latencies.percentile ?? assert.fail("unknown")
      assert.isTrue(found >= 0.89 * scale && found <= 0.91 * scale * 2 ** (1 / 16), `${found} of ${scale}`)
    }
    const latencies = new Latencies(0.9, 100)
    for (let n = 0; n < 10_000; n++) latencies.record(1000)
    for (let n = 0; n < 5000; n++) latencies.record(1)
    assert.isAtMost(latencies.percentile ?? Infinity, 1.05)
    for (const extreme of [0, Infinity]) for (let n = 0; n < 5000; n++) latencies.record(extreme)
    assert.isAbove(latencies.percentile ?? 0, 1e6)
  })
})

describe("what is hedged", () => {
  const slow = () => scripted(answer("first", 1000), answer("second", 0))

  const heard = (policy: Policy.Policy<unknown>, program: Effect.Effect<unknown, unknown>) =>
    Effect.gen(function*() {
      const events: Array<PolicyEvent> = []
      const listener = yield* Effect.forkChild(
        Stream.runForEach(Policy.events(policy), (event) => Effect.sync(() => events.push(event))),
        { startImmediately: true }
      )
      yield* ending(program)
      yield* Fiber.interrupt(listener)
      return events.map((event) => "why" in event ? `${event._tag} ${event.why}` : event._tag)
    })

  it.effect("is told in events: the second attempt with its delay, and that it won", () =>
    Effect.gen(function*() {
      const policy = hedge()
      assert.deepStrictEqual(yield* heard(policy, Policy.apply(slow().effect, policy, read)), ["Hedged", "HedgeWon"])
    }))

  it.effect("is no operation that is not idempotent", () =>
    Effect.gen(function*() {
      const policy = hedge()
      const call = slow()
      const events = yield* heard(policy, Policy.apply(call.effect, policy, write))
      assert.deepStrictEqual(events, ["HedgeSkipped NotIdempotent"])
      assert.strictEqual(call.runs, 1)
      assert.strictEqual(Policy.snapshot(policy).hedgesSkipped, 1)
    }))

  it.effect("is nothing within an attempt of a retry or of another hedge, and nothing is repeated within a hedge", () =>
    Effect.gen(function*() {
      for (const outer of [Retry.make({ times: 1 }), hedge({ after: "1 minute" })]) {
        const inner = hedge()
        const call = slow()
        const events = yield* heard(inner, Policy.apply(Policy.apply(call.effect, inner, read), outer, read))
        assert.deepStrictEqual(events, ["HedgeSkipped Nested"])
        assert.strictEqual(call.runs, 1)
      }
      for (const outer of [hedge(), Policy.make({ hedge: {} })]) {
        const inner = Policy.make({ retry: { times: 3 } })
        const call = scripted(Effect.fail(down(Outcome.failure("no"))))
        const events = yield* heard(inner, Policy.apply(Policy.apply(call.effect, inner, read), outer, read))
        assert.deepStrictEqual(events, ["RetrySkipped Nested"])
        assert.strictEqual(call.runs, 1)
      }
    }))

  it.effect("is no more than the budget has, also when all calls are slow", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ share: 0.05, perSecond: 3 })
      const policy = hedge({ budget })
      const call = scripted(Effect.sleep(150))
      const all = Effect.replicateEffect(Policy.apply(call.effect, policy, read), 10, { concurrency: "unbounded" })
      const events = yield* heard(policy, all)
      assert.strictEqual(call.runs, 13)
      assert.strictEqual(events.filter((event) => event === "HedgeSkipped Budget").length, 7)
      assert.deepInclude(Policy.snapshot(policy), { hedges: 3, hedgesSkipped: 7, overBudget: 7 })
    }))

  it.effect("earns a twentieth of an attempt with each answer, where no budget is given", () =>
    Effect.gen(function*() {
      const policy = hedge()
      assert.deepStrictEqual(Policy.snapshot(policy).retryBudget, { balance: 10, share: 0.05 })
      yield* ending(Policy.apply(slow().effect, policy, read))
      assert.closeTo(Policy.snapshot(policy).retryBudget?.balance ?? 0, 9.05, 1e-9)
      yield* ending(Policy.apply(Effect.void, policy, read))
      yield* ending(Policy.apply(Effect.void, policy, write))
      yield* ending(Policy.apply(Policy.apply(Effect.void, policy, read), Retry.make({ times: 1 }), read))
      assert.closeTo(Policy.snapshot(policy).retryBudget?.balance ?? 0, 9.2, 1e-9)
      const failing = scripted(failure(0))
      yield* ending(Policy.apply(failing.effect, policy, read))
      assert.closeTo(Policy.snapshot(policy).retryBudget?.balance ?? 0, 9.2, 1e-9)
    }))
})

describe("a hedge's options", () => {
  // Typed as what is known at run time only.
  const both: Policy.Options = { retry: { times: 1 }, hedge: {} }
  const retrying: Policy.Policy<unknown> = Policy.make({ retry: { times: 1 } })
  const refused: ReadonlyArray<readonly [() => unknown, RegExp]> = [
    [() => Hedge.make({ after: 0 }), /"after" is 0; allowed is a finite duration longer than zero/],
    [
      () => Policy.make({ deadline: "1 second", hedge: { after: "1 second" } }),
      /"hedge\.after" is 1s; allowed is less than the deadline, which is 1s/
    ],
    [
      () => Policy.compose(Hedge.make({ after: "2 seconds" }), Timeout.make("1 second")),
      /"hedge\.after" is 2s; allowed is less than the timeout, which is 1s/
    ],
    [() => Hedge.make({ extraLoad: 0 }), /"extraLoad" is 0; allowed is a number above 0 and below 1/],
    [() => Hedge.whenSafe({ extraLoad: 1 }), /"extraLoad" is 1/],
    [
      () => Hedge.make({ budget: RetryBudget.make({ share: 0.02 }) }),
      /"extraLoad" is 0\.05; allowed is at most the share of the budget, which is 0\.02/
    ],
    [
      () => Policy.compose(retrying, Policy.compose(Timeout.make("1 second"), retrying)),
      /A policy has a retry and a retry/
    ],
    [
      () => Policy.make(both),
      /A policy has a retry and a hedge; allowed is one of them/
    ]
  ]
  for (const [make, message] of refused) {
    it(`throw a RangeError that says ${message.source}`, () => assert.throws(make, RangeError, message))
  }
})

describe("an interrupt at every operation of a hedged call", () => {
  it("leaves no lease, timer or fiber behind", async () => {
    const interrupted = await interruptEverywhere(async (world, where) => {
      const call = scripted(Effect.never, Effect.succeed("done"))
      const policy = Policy.make({ deadline: "5 seconds", hedge: { after: "10 millis", cancelLoser: true } })
      const exit = await world.interrupt(
        Policy.run(policy, read, (attempt) => world.lease(() => attempt(call.effect)))
      )
      await new Promise((resolve) => setImmediate(resolve))
      assert.deepStrictEqual(world.left(), { leases: 0, timers: 0, fibers: 0 }, where)
      return exit
    })
    assert.isAbove(interrupted, 20)
  })
})
