import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Bulkhead from "../src/policy/Bulkhead.ts"
import * as Deadline from "../src/policy/Deadline.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as RetryBudget from "../src/policy/RetryBudget.ts"
import { Down, drawing, scripted } from "./support/calls.ts"

const read = Operation.make("read", { idempotent: true })
const write = Operation.make("write", { idempotent: false })
const failing = Effect.fail(new Down({ outcome: Outcome.failure("no") }))
const answer = <A>(what: A, after: Duration.Input) => Effect.delay(Effect.succeed(what), after)

const ended = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(call.pipe(drawing(0)))
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.await(fiber)
  })

const balance = (policy: Policy.Policy<unknown>) => Policy.snapshot(policy).retryBudget?.balance

describe("a retry around a circuit breaker", () => {
  it.effect("gives back what an attempt cost that the open circuit refused", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ share: 0, perSecond: 5 })
      const policy = Policy.make({ retry: { times: 3, budget }, breaker: { window: 1, openFor: "1 hour" } })
      const call = scripted(failing)
      assert.isTrue(Exit.hasFails(yield* ended(Policy.apply(call.effect, policy, read))))
      assert.strictEqual(call.runs, 1)
      assert.deepInclude(Policy.snapshot(policy), { retries: 1, circuitRejected: 1 })
      assert.strictEqual(balance(policy), 5)
    }))

  it.effect("lets the breaker count each attempt", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ retry: { times: 3 }, breaker: {} })
      yield* ended(Policy.apply(scripted(failing, failing, Effect.void).effect, policy, read))
      assert.deepInclude(Policy.snapshot(policy).circuit, { calls: 3, failures: 2 })
    }))
})

describe("a breaker inside a retry", () => {
  it.effect("ends it: no attempt follows while the circuit is open, whatever else the retry has left", () =>
    Effect.gen(function*() {
      const policy = Policy.make({
        retry: { times: 10, schedule: Schedule.spaced("10 millis") },
        breaker: { consecutive: 3, openFor: "1 hour" }
      })
      const call = scripted(failing)
      const exit = yield* ended(Policy.apply(call.effect, policy, read))
      assert.strictEqual(call.runs, 3)
      assert.include(String(Exit.findErrorOption(exit)), "The circuit of")
      assert.deepInclude(Policy.snapshot(policy), { retries: 3, circuitRejected: 1 })
    }))

  it.effect("counts an overload that is not repeated for want of a word when to come back", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ retry: { times: 3 }, breaker: {} })
      const overloaded = (retryAfter?: Duration.Duration) =>
        scripted(Effect.fail(new Down({ outcome: Outcome.overload("yes", retryAfter) })), Effect.void)
      const [silent, told] = [overloaded(), overloaded(Duration.seconds(1))]
      assert.isTrue(Exit.hasFails(yield* ended(Policy.apply(silent.effect, policy, read))))
      assert.isTrue(Exit.isSuccess(yield* ended(Policy.apply(told.effect, policy, read))))
      assert.deepStrictEqual([silent.runs, told.runs], [1, 2])
      assert.deepInclude(Policy.snapshot(policy).circuit, { calls: 3, failures: 2 })
    }))
})

describe("a breaker around a timeout", () => {
  it.effect("counts what was cut off as the backend's failure", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: {}, timeout: "1 second" })
      yield* ended(Policy.apply(Effect.never, policy, read))
      assert.deepInclude(Policy.snapshot(policy).circuit, { calls: 1, failures: 1 })
    }))
})

describe("a deadline", () => {
  it.effect("that ends a call says nothing to the breaker inside it, nor to a throttle", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ deadline: "1 second", throttle: {}, breaker: {} })
      const exit = yield* ended(Policy.apply(Effect.never, policy, read))
      assert.include(String(Exit.findErrorOption(exit)), "did not end within its deadline")
      assert.deepInclude(Policy.snapshot(policy).circuit, { calls: 0, failures: 0 })
      assert.deepStrictEqual(Policy.snapshot(policy).throttle, { requests: 0, accepts: 0 })
    }))

  it.effect("that ended an inner call is not counted by the breaker around it, nor repeated at a cost", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ retry: { times: 3 }, breaker: {} })
      const call = scripted(Policy.apply(Effect.never, Deadline.make("1 second"), read))
      yield* ended(Policy.apply(call.effect, policy, read))
      assert.strictEqual(call.runs, 1)
      assert.deepInclude(Policy.snapshot(policy).circuit, { calls: 0, failures: 0 })
      assert.strictEqual(balance(policy), 10)
    }))

  it.effect("ends the wait for a permit, and leaves the place in the queue", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ permits: 1, queue: 5, maxWait: "1 minute" })
      const policy = Policy.compose(Deadline.make("1 second"), bulkhead)
      const holder = yield* Effect.forkChild(Policy.apply(Effect.never, bulkhead, write), { startImmediately: true })
      const waiting = yield* Effect.forkChild(Effect.flip(Policy.apply(Effect.void, policy, write)), {
        startImmediately: true
      })
      assert.strictEqual(Policy.snapshot(policy).bulkhead?.waiting, 1)
      yield* TestClock.adjust("1 second")
      assert.deepInclude((yield* Fiber.join(waiting)).reason, { _tag: "DeadlineExceeded", sent: "no" })
      assert.deepStrictEqual(Policy.snapshot(policy).bulkhead, { running: 1, waiting: 0, permits: 1 })
      yield* Fiber.interrupt(holder)
    }))
})

describe("one budget of a retry, a hedge and a reconnect", () => {
  it.effect("bounds them together", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ share: 0.1, perSecond: 2 })
      const retrying = Policy.make({ retry: { times: 5, budget } })
      const hedging = Policy.make({ hedge: { after: 100, budget, cancelLoser: true } })
      for (let reconnects = 0; reconnects < 2; reconnects++) assert.isTrue(yield* RetryBudget.charge(budget))
      const begun = yield* Effect.forkChild(
        Effect.exit(Policy.apply(failing, retrying, read)).pipe(drawing(0)),
        { startImmediately: true }
      )
      yield* Fiber.join(begun)
      assert.deepInclude(Policy.snapshot(retrying), { retries: 0, overBudget: 1 })
      const slow = yield* Effect.forkChild(Policy.apply(answer("slow", 200), hedging, read), { startImmediately: true })
      yield* TestClock.adjust(200)
      assert.strictEqual(yield* Fiber.join(slow), "slow")
      assert.deepInclude(Policy.snapshot(hedging), { hedges: 0, overBudget: 1 })
    }))
})

describe("a hedge and a retry in one another", () => {
  it.effect("do not multiply: the inner one leaves it to the outer", () =>
    Effect.gen(function*() {
      const retrying = () => Policy.make({ retry: { times: 2, schedule: Schedule.spaced(1) } })
      const hedging = () => Policy.make({ hedge: { after: 10 } })
      const slow = scripted(Effect.delay(failing, 100))
      yield* ended(Policy.apply(Policy.apply(slow.effect, hedging(), read), retrying(), read))
      assert.strictEqual(slow.runs, 3)
      const hedged = scripted(Effect.delay(failing, 100))
      yield* ended(Policy.apply(Policy.apply(hedged.effect, retrying(), read), hedging(), read))
      assert.strictEqual(hedged.runs, 2)
    }))
})

describe("a retry around a bulkhead", () => {
  it.effect("repeats no refusal and charges none, nor the attempt that was refused, and keeps its permits", () =>
    Effect.gen(function*() {
      const schedule = Schedule.spaced("10 millis")
      const policy = Policy.make({ retry: { times: 3, schedule }, bulkhead: { permits: 1 } })
      const call = scripted(Effect.delay(failing, 10), Effect.succeed("done"))
      const fiber = yield* Effect.forkChild(Effect.exit(Policy.apply(call.effect, policy, read)))
      yield* TestClock.adjust(15)
      const other = yield* Effect.forkChild(Policy.apply(Effect.sleep("1 minute"), policy, read))
      yield* TestClock.adjust(5)
      assert.isTrue(Exit.hasFails(yield* Fiber.join(fiber)))
      assert.strictEqual(call.runs, 1)
      assert.deepInclude(Policy.snapshot(policy), { retries: 1, bulkheadRefused: 1 })
      assert.strictEqual(balance(policy), 10)
      assert.strictEqual(Policy.snapshot(policy).bulkhead?.running, 1)
      yield* Fiber.interrupt(other)
      assert.strictEqual(Policy.snapshot(policy).bulkhead?.running, 0)
    }))
})

describe("a retry around a timeout", () => {
  it.effect("repeats what was cut off only where that is safe", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ retry: { times: 1 }, timeout: "1 second" })
      const safe = scripted(Effect.never, Effect.succeed("done"))
      assert.deepStrictEqual(yield* ended(Policy.apply(safe.effect, policy, read)), Exit.succeed("done"))
      const unsafe = scripted(Effect.never, Effect.succeed("done"))
      assert.isTrue(Exit.hasFails(yield* ended(Policy.apply(unsafe.effect, policy, write))))
      assert.strictEqual(unsafe.runs, 1)
    }))
})

describe("a hedge around a circuit breaker", () => {
  it.effect("counts both attempts, and one that was cancelled not at all", () =>
    Effect.gen(function*() {
      for (const [cancelLoser, calls] of [[false, 2], [true, 1]] as const) {
        const policy = Policy.make({ hedge: { after: 100, cancelLoser }, breaker: {} })
        yield* ended(Policy.apply(scripted(answer(1, 1000), answer(2, 10)).effect, policy, read))
        assert.deepInclude(Policy.snapshot(policy).circuit, { calls, failures: 0 })
      }
    }))

  it.effect("keeps to the first attempt where the circuit refuses the second, and charges nothing for that", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ hedge: { after: 100 }, breaker: { window: 1, openFor: "1 hour" } })
      const slow = yield* Effect.forkChild(Policy.apply(answer("first", 1000), policy, read))
      yield* TestClock.adjust(50)
      yield* Effect.exit(Policy.apply(failing, policy, read))
      assert.strictEqual(balance(policy), 10)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(slow), "first")
      assert.deepInclude(Policy.snapshot(policy), { hedges: 1, circuitRejected: 1 })
      assert.closeTo(balance(policy) ?? 0, 10.05, 1e-9)
    }))
})

describe("a hedge around a bulkhead", () => {
  it.effect("takes a permit for each attempt, and charges nothing where there is none for the second", () =>
    Effect.gen(function*() {
      for (const [permits, winner, left] of [[2, "second", 9.05], [1, "first", 10.05]] as const) {
        const policy = Policy.make({ hedge: { after: 100 }, bulkhead: { permits } })
        const call = scripted(answer("first", 1000), answer("second", 10))
        assert.deepStrictEqual(yield* ended(Policy.apply(call.effect, policy, read)), Exit.succeed(winner))
        assert.closeTo(balance(policy) ?? 0, left, 1e-9)
        assert.strictEqual(Policy.snapshot(policy).bulkhead?.running, 0)
      }
    }))
})

describe("a hedge around a timeout", () => {
  it.effect("gives each attempt a time of its own, and says which one it cut off", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ hedge: { after: 800 }, timeout: "1 second" })
      const call = scripted(Effect.never)
      const exit = yield* ended(Effect.timed(Effect.flip(Policy.apply(call.effect, policy, read))))
      const [took, error] = Exit.isSuccess(exit) ? exit.value : assert.fail()
      assert.strictEqual(Duration.toMillis(took), 1800)
      assert.deepInclude(error.reason, { _tag: "AttemptTimeout", attempt: 2 })
      assert.strictEqual(Policy.snapshot(policy).attemptTimeouts, 2)
    }))
})

describe("policies three deep", () => {
  it.effect("see the deadline of the outermost and repeat in one place only, so that attempts do not multiply", () =>
    Effect.gen(function*() {
      const seen: Array<Duration.Duration> = []
      const call = scripted(
        Effect.andThen(Effect.tap(Deadline.remaining, (left) => Effect.sync(() => seen.push(left))), failing)
      )
      const make = (name: string) => Policy.make({ name, deadline: "10 seconds", retry: { times: 3 } })
      const [gateway, service, database] = [make("gateway"), make("service"), make("database")]
      const nested = call.effect.pipe(
        Policy.apply(database, read),
        Effect.delay("100 millis"),
        Policy.apply(service, read),
        Policy.apply(gateway, read)
      )
      yield* ended(nested)
      assert.strictEqual(call.runs, 4)
      assert.deepInclude(Policy.snapshot(database), { retries: 0, retriesSkipped: 4 })
      assert.deepInclude(Policy.snapshot(service), { retries: 0, retriesSkipped: 4 })
      assert.deepInclude(Policy.snapshot(gateway), { retries: 3, retriesExhausted: 1 })
      assert.deepStrictEqual(seen.map((left) => left.value._tag === "Millis" && left.value.millis), [
        9900,
        9800,
        9700,
        9600
      ])
    }))

  it.effect("charge the budget of whoever repeats, and no other", () =>
    Effect.gen(function*() {
      const inner = Policy.make({ retry: { times: 3 } })
      const outer = Policy.make({ retry: { times: 3 } })
      yield* ended(Policy.apply(Policy.apply(failing, inner, read), outer, read))
      assert.deepStrictEqual([balance(inner), balance(outer)], [10, 7])
    }))
})
