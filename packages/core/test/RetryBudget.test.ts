import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as PolicyError from "../src/policy/PolicyError.ts"
import * as Retry from "../src/policy/Retry.ts"
import * as RetryBudget from "../src/policy/RetryBudget.ts"
import { Down, drawing, scripted } from "./support/calls.ts"

const read = Operation.make("read", { idempotent: true })
const failing = Effect.fail(new Down({ outcome: Outcome.failure("no") }))

/** How many attempts may be charged now, which uses them up. */
const drained = (budget: RetryBudget.RetryBudget) =>
  Effect.gen(function*() {
    let charged = 0
    while (yield* RetryBudget.charge(budget)) charged++
    return charged
  })

const schedule = Retry.fullJitter({ base: 1, cap: 1 })

/** So many calls at once, each with so many retries at most, and how often the backend was asked. */
const asked = (policy: Policy.Policy<unknown>, calls: number, work: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    const call = scripted(work)
    const one = Effect.exit(Policy.apply(call.effect, policy, read))
    const all = yield* Effect.forkChild(
      Effect.replicateEffect(one, calls, { concurrency: "unbounded" }).pipe(drawing(0))
    )
    while (all.pollUnsafe() === undefined) yield* TestClock.adjust(0)
    return call.runs
  })

describe("RetryBudget", () => {
  it.effect("holds a second's worth of its floor at first, and what the floor pays as time goes by, up to its burst", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ perSecond: 4, burst: 9 })
      assert.strictEqual(yield* drained(budget), 4)
      yield* TestClock.adjust("249 millis")
      assert.strictEqual(yield* drained(budget), 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* drained(budget), 1)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* drained(budget), 9)
    }))

  it.effect("earns a fifth of an attempt with each success, and saves a hundred at most, where nothing is given", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make()
      const policy = Policy.make({ retry: { times: 3, budget } })
      assert.strictEqual(yield* drained(budget), 10)
      yield* asked(policy, 24, Effect.void)
      assert.strictEqual(yield* drained(budget), 4)
      yield* asked(policy, 1000, Effect.void)
      assert.strictEqual(Policy.snapshot(policy).retryBudget?.balance, 100)
      assert.strictEqual(yield* drained(budget), 100)
    }))

  it.effect("bounds the retries of all callers together, and hands back the error of the attempt before", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ retry: { times: 1, schedule } })
      assert.strictEqual(yield* asked(policy, 100, failing), 110)
      assert.deepInclude(Policy.snapshot(policy), { attempts: 110, retries: 10, overBudget: 90, retriesExhausted: 100 })
      assert.deepStrictEqual(Policy.snapshot(policy).retryBudget, { balance: 0, share: 0.2 })
      const exit = yield* Effect.exit(Policy.apply(failing, policy, read))
      assert.isTrue(Exit.hasFails(exit))
    }))

  it.effect("is charged by every policy that it is given to", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ perSecond: 3 })
      const [one, two] = [0, 1].map(() => Policy.make({ retry: { times: 2, schedule, budget } }))
      assert.strictEqual(yield* asked(one!, 1, failing), 3)
      assert.strictEqual(yield* asked(two!, 1, failing), 2)
    }))

  it.effect("is one of its own for each policy that is given none", () =>
    Effect.gen(function*() {
      const [one, two] = [0, 1].map(() => Policy.make({ retry: { times: 1, schedule } }))
      assert.strictEqual(yield* asked(one!, 20, failing), 30)
      assert.strictEqual(yield* asked(two!, 20, failing), 30)
    }))

  it.effect("is not spent where no retry follows for another reason", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ perSecond: 1 })
      const write = Operation.make("write", { idempotent: false })
      const lost = Effect.fail(new Down({ outcome: Outcome.failure("unknown") }))
      yield* Effect.exit(Policy.apply(lost, Policy.make({ retry: { times: 1, budget } }), write))
      yield* Effect.exit(Policy.apply(failing, Policy.make({ retry: { times: 0, budget } }), read))
      yield* Effect.exit(
        Policy.apply(failing, Policy.make({ deadline: 10, retry: { times: 1, budget } }), read).pipe(drawing(1))
      )
      assert.strictEqual(yield* drained(budget), 1)
    }))

  it.effect("neither earns nor spends by refusals on our own side, nor by calls that fail", () =>
    Effect.gen(function*() {
      const refusals = [
        new PolicyError.PolicyError({
          _tag: "BulkheadFull",
          operation: "read",
          key: undefined,
          permits: 1,
          waiting: 0
        }),
        new Down({ outcome: Outcome.ignored("no") }),
        new Down({ outcome: Outcome.heldOff }),
        new Down({ outcome: Outcome.overload("no") })
      ]
      for (const refusal of refusals) {
        const budget = RetryBudget.make({ share: 1, perSecond: 1 })
        yield* asked(Policy.make({ retry: { times: 3, budget } }), 10, Effect.fail(refusal))
        assert.strictEqual(yield* drained(budget), 1)
      }
    }))

  it.effect("has back what was spent on an attempt that did not get to the backend, or that was never made", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ share: 0, perSecond: 1, burst: 1 })
      const policy = Policy.make({ retry: { times: 1, schedule: Schedule.spaced("100 millis"), budget } })
      const balance = () => Policy.snapshot(policy).retryBudget?.balance
      const call = scripted(failing, Effect.fail(new Down({ outcome: Outcome.heldOff })))
      const heldOff = yield* Effect.forkChild(Effect.exit(Policy.apply(call.effect, policy, read)))
      yield* TestClock.adjust(0)
      assert.strictEqual(balance(), 0)
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(heldOff)
      assert.strictEqual(call.runs, 2)
      assert.strictEqual(balance(), 1)
      const givenUp = yield* Effect.forkChild(Policy.apply(failing, policy, read))
      yield* TestClock.adjust(0)
      assert.strictEqual(balance(), 0)
      yield* Fiber.interrupt(givenUp)
      assert.strictEqual(balance(), 1)
    }))

  it.effect("is charged for every time but the first that a call gets to the backend, held off in between or not", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ share: 0, perSecond: 2 })
      const policy = Policy.make({ retry: { times: 3, schedule, budget } })
      const heldOff = Effect.fail(new Down({ outcome: Outcome.heldOff }))
      for (const left of [1, 0, 0]) {
        const call = scripted(failing, heldOff, failing, heldOff)
        const fiber = yield* Effect.forkChild(Effect.exit(Policy.apply(call.effect, policy, read)).pipe(drawing(0)))
        while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(0)
        assert.strictEqual(Policy.snapshot(policy).retryBudget?.balance, left)
      }
      const late = scripted(heldOff, heldOff, failing, Effect.void)
      const fiber = yield* Effect.forkChild(Effect.exit(Policy.apply(late.effect, policy, read)).pipe(drawing(0)))
      while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(0)
      assert.strictEqual(late.runs, 3)
      assert.strictEqual(Policy.snapshot(policy).overBudget, 3)
    }))

  it.effect("earns by an error that is an answer, wherever it comes up", () =>
    Effect.gen(function*() {
      const notFound = Effect.fail(new Down({ outcome: Outcome.success }))
      const write = Operation.make("write", { idempotent: false })
      const budgeted = (make: (budget: RetryBudget.RetryBudget) => Policy.Policy<unknown>) => {
        const budget = RetryBudget.make({ share: 1, perSecond: 0 })
        return { budget, policy: make(budget) }
      }
      const retries = budgeted((budget) => Policy.make({ retry: { times: 1, budget } }))
      yield* Effect.exit(Policy.apply(notFound, retries.policy, read))
      yield* Effect.exit(Policy.apply(Policy.apply(notFound, retries.policy, read), Retry.make({ times: 1 }), read))
      assert.strictEqual(yield* drained(retries.budget), 2)
      for (const hedge of [{}, { after: "1 second" }] as const) {
        const hedges = budgeted((budget) => Policy.make({ hedge: { ...hedge, budget } }))
        yield* Effect.exit(Policy.apply(notFound, hedges.policy, read))
        yield* Effect.exit(Policy.apply(notFound, hedges.policy, write))
        assert.strictEqual(yield* drained(hedges.budget), 2)
      }
    }))

  it.effect("earns by what a retry repaired, and by what is called within an attempt of another policy", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ share: 1, perSecond: 1, burst: 10 })
      const policy = Policy.make({ retry: { times: 1, schedule, budget } })
      const call = scripted(failing, Effect.void)
      const fiber = yield* Effect.forkChild(Policy.apply(call.effect, policy, read).pipe(drawing(0)))
      yield* TestClock.adjust(0)
      yield* Fiber.join(fiber)
      assert.strictEqual(yield* drained(budget), 1)
      yield* Policy.apply(Policy.apply(Effect.void, policy, read), Retry.make({ times: 1 }), read)
      assert.strictEqual(yield* drained(budget), 1)
    }))

  it.effect("says in an event that it was what no retry was made for", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ retry: { times: 3, budget: RetryBudget.make({ perSecond: 0 }) } })
      const heard = yield* Effect.forkChild(Stream.runHead(Policy.events(policy)), { startImmediately: true })
      yield* Effect.exit(Policy.apply(failing, policy, read))
      const event = (yield* Fiber.join(heard)).pipe((head) => head._tag === "Some" ? head.value : undefined)
      assert.deepInclude(event, { _tag: "RetriesExhausted", why: "Budget", attempt: 1, of: 4 })
    }))

  it.effect("refuses nothing when it is unlimited", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ retry: { times: 3, schedule, budget: RetryBudget.unlimited } })
      assert.strictEqual(yield* asked(policy, 500, failing), 2000)
    }))

  const refused: ReadonlyArray<readonly [RetryBudget.Options, RegExp]> = [
    [{ share: 1.1 }, /"share" is 1\.1; allowed is from 0 to 1/],
    [{ share: -0.1 }, /"share" is -0\.1/],
    [{ share: NaN }, /"share" is NaN/],
    [{ perSecond: -1 }, /"perSecond" is -1; allowed is 0 or more/],
    [{ perSecond: Infinity }, /"perSecond" is Infinity/],
    [{ burst: 0 }, /"burst" is 0; allowed is 1 or more/]
  ]
  for (const [options, message] of refused) {
    it(`throws a RangeError that says ${message.source}`, () =>
      assert.throws(() => RetryBudget.make(options), RangeError, message))
  }
})

describe("RetryBudget.reconnecting", () => {
  /** A backend that is down until it is told otherwise; how often it was dialled. */
  const setUp = (budget: RetryBudget.RetryBudget) => {
    const backend = { dials: 0, down: true }
    const dial = RetryBudget.reconnecting(
      budget,
      Effect.suspend(() => {
        backend.dials++
        return backend.down ? Effect.fail(`refused ${backend.dials}`) : Effect.succeed("connected")
      })
    )
    return { backend, dial: Effect.match(dial, { onFailure: (why) => why, onSuccess: (what) => what }) }
  }

  it.effect("spends from the budget for each try after a failed one, and makes none without, but one a second", () =>
    Effect.gen(function*() {
      const { backend, dial } = setUp(RetryBudget.make({ perSecond: 2, burst: 2, share: 0 }))
      for (const why of ["refused 1", "refused 2", "refused 3", "refused 3"]) assert.strictEqual(yield* dial, why)
      yield* TestClock.adjust("500 millis")
      for (const why of ["refused 4", "refused 4"]) assert.strictEqual(yield* dial, why)
      assert.strictEqual(backend.dials, 4)
    }))

  it.effect("finds a backend that is back within a second although nothing is ever earned", () =>
    Effect.gen(function*() {
      const { backend, dial } = setUp(RetryBudget.make({ perSecond: 0, share: 0 }))
      yield* dial
      backend.down = false
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* dial, "refused 1")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* dial, "connected")
      for (let n = 0; n < 3; n++) assert.strictEqual(yield* dial, "connected")
      assert.strictEqual(backend.dials, 5)
    }))

  it.effect("takes a try that was given up for neither a failure nor a success", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ perSecond: 2, burst: 2, share: 0 })
      let dials = 0
      const dial = RetryBudget.reconnecting(
        budget,
        Effect.suspend(() => dials++ === 1 ? Effect.fail("refused") : Effect.never)
      )
      const givenUp = Effect.timeoutOption(dial, 0)
      yield* Effect.forkChild(givenUp)
      yield* TestClock.adjust(0)
      yield* Effect.flip(dial)
      yield* Effect.forkChild(givenUp)
      yield* TestClock.adjust(0)
      yield* Effect.forkChild(givenUp)
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* drained(budget), 0)
      assert.strictEqual(yield* Effect.flip(dial), "refused")
      assert.strictEqual(dials, 4)
    }))

  it.effect("tells once that a backend is back which could not be reached", () =>
    Effect.gen(function*() {
      let told = 0
      let down = false
      let hangs = false
      const dial = RetryBudget.reconnecting(
        RetryBudget.make(),
        Effect.suspend(() => hangs ? Effect.never : down ? Effect.fail("refused") : Effect.succeed("connected")),
        Effect.sync(() => told++).pipe(Effect.asVoid)
      )
      yield* dial
      assert.strictEqual(told, 0)
      down = true
      yield* Effect.exit(dial)
      yield* Effect.exit(dial)
      down = false
      yield* dial
      yield* dial
      assert.strictEqual(told, 1)
      // As of a pool whose `dial.timeout` is over.
      hangs = true
      yield* Effect.timeoutOption(dial, 0).pipe(TestClock.withLive)
      hangs = false
      yield* dial
      assert.strictEqual(told, 2)
    }))

  it.effect("leaves retries what reconnects have not spent, and the other way round", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ perSecond: 5, burst: 5, share: 0 })
      const { backend, dial } = setUp(budget)
      for (let n = 0; n < 4; n++) yield* dial
      const policy = Policy.make({ retry: { times: 3, schedule, budget } })
      assert.strictEqual(yield* asked(policy, 1, failing), 3)
      yield* dial
      assert.strictEqual(backend.dials, 4)
    }))
})
