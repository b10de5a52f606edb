import { assert, describe, it } from "@effect/vitest"
import { Clock, Data, Duration, Effect, Exit, Fiber, Option, Schedule, Scheduler, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/policy/CircuitBreaker.ts"
import { BreakerState } from "../src/policy/internal/breakerState.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as PolicyError from "../src/policy/PolicyError.ts"
import type { PolicyEvent } from "../src/policy/PolicyEvent.ts"
import { seed, seeded } from "./pool/seeded.ts"
import { countingClock, yieldAt } from "./support/interrupts.ts"

class Down extends Data.TaggedError("Down") {}

class Overloaded extends Data.TaggedError("Overloaded") {
  readonly outcome = Outcome.overload("yes", Duration.minutes(1))
}

const read = Operation.make("read", { idempotent: true })

const options = { window: 10, minimumCalls: 4, failureRate: 0.5, openFor: "5 seconds", halfOpenCalls: 2 } as const

const slowCall = { after: "1 second", rate: 0.5 } as const

const made = (retry?: { readonly times: number }) => Policy.make({ name: "orders", breaker: options, retry })

const call = <E>(policy: Policy.Policy<E>, work: Effect.Effect<unknown, unknown>) =>
  Effect.exit(Policy.run(policy, read, (attempt) => attempt(work)))

const reasonOf = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Option.getOrThrow(Exit.findErrorOption(exit))
  return error instanceof PolicyError.PolicyError ? error.reason : assert.fail(`not of a policy: ${String(error)}`)
}

const stateOf = (policy: Policy.Policy<unknown>) => Policy.snapshot(policy).circuit!.state

const times = (n: number, effect: Effect.Effect<unknown>) => Effect.repeat(effect, { times: n - 1 })

describe("the circuit breaker", () => {
  it.effect("opens when the share of failures is reached, not before the minimum of calls", () =>
    Effect.gen(function*() {
      const policy = made()
      yield* times(3, call(policy, Effect.fail(new Down())))
      assert.strictEqual(stateOf(policy), "closed")
      yield* call(policy, Effect.void)
      assert.strictEqual(stateOf(policy), "open") // 3 of 4
    }))

  it.effect("stays closed below the share, and forgets what is further back than the window", () =>
    Effect.gen(function*() {
      const policy = made()
      yield* times(10, call(policy, Effect.void))
      yield* times(4, call(policy, Effect.fail(new Down())))
      assert.strictEqual(stateOf(policy), "closed") // 4 of 10
      yield* times(6, call(policy, Effect.void)) // now those four are the oldest of ten
      yield* times(4, call(policy, Effect.fail(new Down())))
      assert.strictEqual(stateOf(policy), "closed") // and forgotten
      yield* call(policy, Effect.fail(new Down()))
      assert.strictEqual(stateOf(policy), "open")
    }))

  it.effect("rejects at once with one shared error while open, with the cause and the time to come back", () =>
    Effect.gen(function*() {
      const policy = made()
      const cause = new Down()
      yield* times(4, call(policy, Effect.fail(cause)))
      yield* TestClock.adjust("2 seconds")
      let ran = false
      const rejected = Effect.flip(
        Policy.run(policy, read, (attempt) => attempt(Effect.sync(() => (ran = true))))
      )
      const first = yield* rejected
      const second = yield* rejected
      assert.strictEqual(first, second)
      assert.isFalse(ran)
      if (first.reason._tag !== "CircuitOpen") return assert.fail(first.reason._tag)
      assert.strictEqual(first.cause, cause)
      assert.deepStrictEqual([first.reason.policy, Duration.toSeconds(first.reason.retryAfter)], ["orders", 3])
      assert.deepStrictEqual(first.outcome, { _tag: "Ignored", sent: "no" })
      assert.strictEqual(Policy.snapshot(policy).circuitRejected, 2)
    }))

  it.effect("lets as many calls through as it has permits when half-open, and closes when they succeed", () =>
    Effect.gen(function*() {
      const policy = made()
      yield* times(4, call(policy, Effect.fail(new Down())))
      yield* TestClock.adjust("5 seconds")
      const slow = Effect.forkChild(call(policy, Effect.sleep("1 second")), { startImmediately: true })
      const probes = [yield* slow, yield* slow]
      assert.isTrue(Exit.isFailure(yield* call(policy, Effect.void))) // the third
      assert.strictEqual(stateOf(policy), "half-open")
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(probes, Fiber.join)
      assert.strictEqual(stateOf(policy), "closed")
    }))

  it.effect("opens again when the probes fail", () =>
    Effect.gen(function*() {
      const policy = made()
      yield* times(4, call(policy, Effect.fail(new Down())))
      yield* TestClock.adjust("5 seconds")
      yield* times(2, call(policy, Effect.fail(new Down())))
      assert.strictEqual(stateOf(policy), "open")
      assert.strictEqual(Policy.snapshot(policy).circuitOpened, 2)
    }))

  it.effect("stays open for a little longer each time, up to 5 seconds, and begins anew once it has closed", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { window: 1 } })
      const reopened = Effect.gen(function*() {
        yield* call(policy, Effect.fail(new Down()))
        const { reason } = yield* Effect.flip(Policy.apply(Effect.void, policy, read))
        if (reason._tag !== "CircuitOpen") return assert.fail(reason._tag)
        yield* TestClock.adjust(reason.retryAfter)
        return Math.round(Duration.toMillis(reason.retryAfter))
      })
      const open = yield* Effect.replicateEffect(reopened, 50)
      assert.deepStrictEqual(open.slice(0, 4), [100, 109, 119, 130])
      assert.deepStrictEqual(open.slice(-2), [5000, 5000])
      yield* call(policy, Effect.void)
      assert.strictEqual(stateOf(policy), "closed")
      assert.strictEqual(yield* reopened, 100)
    }))

  for (const seconds of [10, 20, 60]) {
    it.effect(`finds whoever was gone for ${seconds} seconds within a tenth of that`, () =>
      Effect.gen(function*() {
        const policy = Policy.make({ breaker: {} })
        let down = true
        const work = Effect.suspend(() => down ? Effect.fail(new Down()) : Effect.void)
        const calls = Effect.repeat(Effect.exit(Policy.apply(work, policy, read)), Schedule.spaced("10 millis"))
        const caller = yield* Effect.forkChild(calls)
        yield* TestClock.adjust(`${seconds} seconds`)
        assert.notStrictEqual(stateOf(policy), "closed")
        down = false
        yield* TestClock.adjust(seconds * 100)
        assert.strictEqual(stateOf(policy), "closed")
        yield* Fiber.interrupt(caller)
      }))
  }

  it.effect("takes a schedule of one's own, and keeps its last delay when it ends", () =>
    Effect.gen(function*() {
      const openFor = Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 2 }))
      const policy = Policy.make({ breaker: { ...options, openFor } })
      yield* times(4, call(policy, Effect.fail(new Down())))
      for (const millis of [1000, 2000, 2000, 2000]) {
        yield* TestClock.adjust(millis - 1)
        yield* call(policy, Effect.void)
        assert.strictEqual(stateOf(policy), "open", `before ${millis} ms`)
        yield* TestClock.adjust(1)
        yield* call(policy, Effect.fail(new Down()))
        assert.strictEqual(stateOf(policy), "open", `after ${millis} ms`)
      }
      assert.strictEqual(Policy.snapshot(policy).circuitOpened, 5)
    }))

  it.effect("counts the results of probes that take longer than it is open", () =>
    Effect.gen(function*() {
      const policy = made()
      yield* times(4, call(policy, Effect.fail(new Down())))
      yield* TestClock.adjust("5 seconds")
      const slow = Effect.forkChild(call(policy, Effect.sleep("12 seconds")), { startImmediately: true })
      yield* times(2, slow)
      yield* TestClock.adjust("5 seconds")
      yield* slow // beside them, and not instead of them
      yield* TestClock.adjust("7 seconds")
      assert.strictEqual(stateOf(policy), "closed")
    }))

  it.effect("reads no clock while it is closed and nobody listens", () =>
    Effect.gen(function*() {
      const policy = made()
      const clock = countingClock()
      yield* times(10, call(policy, Effect.void)).pipe(Effect.provideService(Clock.Clock, clock))
      assert.strictEqual(clock.reads, 0)
      yield* times(10, call(policy, Effect.fail(new Down()))).pipe(Effect.provideService(Clock.Clock, clock))
      assert.isAbove(clock.reads, 0)
    }))

  it.effect("gives back the permit of a probe that was interrupted or says nothing, and is not held up by one that hangs", () =>
    Effect.gen(function*() {
      const policy = made()
      yield* times(4, call(policy, Effect.fail(new Down())))
      yield* TestClock.adjust("5 seconds")
      for (let i = 0; i < 5; i++) {
        const probe = yield* Effect.forkChild(call(policy, Effect.never), { startImmediately: true })
        yield* Fiber.interrupt(probe)
      }
      const hung = Effect.forkChild(call(policy, Effect.never), { startImmediately: true })
      const probes = [yield* hung, yield* hung]
      assert.isTrue(Exit.isFailure(yield* call(policy, Effect.void)))
      yield* TestClock.adjust("5 seconds")
      yield* times(2, call(policy, Effect.void))
      assert.strictEqual(stateOf(policy), "closed")
      yield* Effect.forEach(probes, Fiber.interrupt)
      assert.strictEqual(Policy.snapshot(policy).circuit!.calls, 0) // of an earlier generation: not counted
    }))

  it.effect("counts attempts, and ends a retry when it opens", () =>
    Effect.gen(function*() {
      const policy = made({ times: 9 })
      let attempts = 0
      const fiber = yield* Effect.forkChild(
        call(policy, Effect.suspend(() => (attempts++, Effect.fail(new Down()))))
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(attempts, 4)
      assert.strictEqual(Policy.snapshot(policy).circuitRejected, 1)
    }))

  it.effect("does not count what says nothing about the backend", () =>
    Effect.gen(function*() {
      const policy = made()
      const ignored = { _tag: "Full", outcome: Outcome.ignored("no") }
      yield* times(20, call(policy, Effect.fail(ignored)))
      assert.deepStrictEqual(Policy.snapshot(policy).circuit, {
        state: "closed",
        mode: "automatic",
        calls: 0,
        failures: 0,
        slow: 0
      })
    }))

  it.effect("is no second breaker behind a pool that holds callers off: counts them not, and frees the probe", () =>
    Effect.gen(function*() {
      const policy = made()
      const heldOff = { _tag: "Unavailable", outcome: Outcome.heldOff }
      yield* times(20, call(policy, Effect.fail(heldOff)))
      assert.deepInclude(Policy.snapshot(policy).circuit, { state: "closed", calls: 0, failures: 0 })
      yield* times(4, call(policy, Effect.fail(new Down())))
      yield* TestClock.adjust("5 seconds")
      yield* times(5, call(policy, Effect.fail(heldOff)))
      assert.strictEqual(stateOf(policy), "half-open")
      yield* times(2, call(policy, Effect.void))
      assert.strictEqual(stateOf(policy), "closed")
    }))

  it.effect("tries again at once when told that the backend is back, and goes on as ever where it is not", () =>
    Effect.gen(function*() {
      const policy = made()
      yield* CircuitBreaker.probe(policy)
      assert.strictEqual(stateOf(policy), "closed")
      yield* times(4, call(policy, Effect.fail(new Down())))
      yield* CircuitBreaker.probe(policy)
      yield* times(1, call(policy, Effect.fail(new Down())))
      assert.strictEqual(stateOf(policy), "open")
      assert.deepInclude(reasonOf(yield* call(policy, Effect.void)), { retryAfter: Duration.seconds(5) })
      yield* CircuitBreaker.probe(policy)
      yield* times(2, call(policy, Effect.void))
      assert.strictEqual(stateOf(policy), "closed")
    }))

  it.effect("is not made to try by it what the server or a person has asked to be left alone", () =>
    Effect.gen(function*() {
      const policy = made()
      yield* times(4, call(policy, Effect.fail(new Overloaded())))
      yield* CircuitBreaker.probe(policy)
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(reasonOf(yield* call(policy, Effect.void))._tag, "CircuitOpen")
      yield* TestClock.adjust("1 second")
      yield* times(2, call(policy, Effect.void))
      assert.strictEqual(stateOf(policy), "closed")
      yield* CircuitBreaker.setMode(policy, "forcedOpen")
      yield* CircuitBreaker.probe(policy)
      assert.strictEqual(reasonOf(yield* call(policy, Effect.void))._tag, "CircuitOpen")
    }))

  it.effect("stays open for as long as an overloaded server asks", () =>
    Effect.gen(function*() {
      const policy = made()
      yield* times(4, call(policy, Effect.fail(new Overloaded())))
      yield* TestClock.adjust("59 seconds")
      assert.isTrue(Exit.isFailure(yield* call(policy, Effect.void)))
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isSuccess(yield* call(policy, Effect.void)))
    }))

  it.effect("shares its state between policies it is composed into, and publishes its changes", () =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.make(options)
      const one = Policy.compose(Policy.make({ deadline: "1 minute" }), breaker)
      const events: Array<PolicyEvent> = []
      const listener = yield* Effect.forkChild(
        Stream.runForEach(Policy.events(one), (event) => Effect.sync(() => events.push(event))),
        { startImmediately: true }
      )
      yield* Effect.yieldNow
      yield* times(4, call(one, Effect.fail(new Down())))
      yield* TestClock.adjust("5 seconds")
      yield* times(2, call(one, Effect.void))
      yield* Effect.yieldNow
      assert.deepStrictEqual(events.map((event) => event._tag === "CircuitChanged" ? event.to : event._tag), [
        "open",
        "half-open",
        "closed"
      ])
      assert.strictEqual(stateOf(breaker), "closed")
      yield* Fiber.interrupt(listener)
    }))

  it.effect("looks back on a time, and forgets what is older", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { ...options, window: { last: "10 seconds" } } })
      yield* times(3, call(policy, Effect.fail(new Down())))
      yield* TestClock.adjust("11 seconds")
      yield* call(policy, Effect.fail(new Down()))
      assert.deepInclude(Policy.snapshot(policy).circuit, { state: "closed", calls: 1, failures: 1 })
      yield* TestClock.adjust("5 seconds")
      yield* times(3, call(policy, Effect.fail(new Down())))
      assert.strictEqual(stateOf(policy), "open")
    }))

  it.effect("opens after failures in a row, before there are as many calls as a share needs", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { ...options, minimumCalls: 10, consecutive: 3 } })
      yield* times(2, call(policy, Effect.fail(new Down())))
      yield* call(policy, Effect.void)
      yield* times(2, call(policy, Effect.fail(new Down())))
      assert.strictEqual(stateOf(policy), "closed")
      yield* call(policy, Effect.fail(new Down()))
      assert.strictEqual(stateOf(policy), "open")
    }))

  it.effect("opens when calls are slow though they succeed, and stays open while probes are", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { ...options, slowCall } })
      const lasting = (duration: Duration.Input) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(call(policy, Effect.sleep(duration)), { startImmediately: true })
          yield* TestClock.adjust(duration)
          yield* Fiber.join(fiber)
        })
      yield* times(2, lasting("999 millis"))
      yield* lasting("1 second")
      assert.deepInclude(Policy.snapshot(policy).circuit, { state: "closed", calls: 3, failures: 0, slow: 1 })
      yield* lasting("1 second")
      assert.strictEqual(stateOf(policy), "open")
      yield* TestClock.adjust("5 seconds")
      yield* lasting("2 seconds")
      assert.strictEqual(stateOf(policy), "open")
      yield* TestClock.adjust("5 seconds")
      yield* times(2, lasting("10 millis"))
      assert.strictEqual(stateOf(policy), "closed")
    }))

  it.effect("times the work of an attempt and not the wait for a connection; all of a call that takes no attempt", () =>
    Effect.gen(function*() {
      // Two breakers in one policy, of which each must see it.
      const breaker = CircuitBreaker.make({ ...options, slowCall })
      const policy = Policy.compose(CircuitBreaker.make({ ...options, slowCall }), breaker)
      const waits = Policy.run(
        policy,
        read,
        (attempt) => Effect.andThen(Effect.sleep("5 seconds"), attempt(Effect.void))
      )
      const works = Policy.run(policy, read, () => Effect.sleep("5 seconds"))
      const seen = () => CircuitBreaker.circuits(policy).map(([, { calls, slow }]) => `${slow} of ${calls}`)
      const waiting = yield* Effect.forkChild(times(4, Effect.orDie(waits)))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(seen(), ["0 of 4", "0 of 4"])
      const working = yield* Effect.forkChild(works)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(working)
      assert.deepStrictEqual(seen(), ["1 of 5", "1 of 5"])
    }))

  it.effect("keeps a circuit for each key: one that fails does not close the way to the others", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ name: "hosts", breaker: { ...options, perKey: {} } })
      const to = (key: string | undefined, work: Effect.Effect<unknown, unknown>) =>
        Effect.exit(Policy.apply(work, policy, Operation.make("get", { idempotent: true, key })))
      yield* times(4, to("a", Effect.fail(new Down())))
      assert.isTrue(Exit.isSuccess(yield* to("b", Effect.void)))
      assert.isTrue(Exit.isSuccess(yield* to(undefined, Effect.void)))
      const rejected = yield* to("a", Effect.void)
      assert.strictEqual(rejected, yield* to("a", Effect.void)) // one for all callers
      assert.isTrue(Exit.isFailure(rejected) && String(rejected.cause).includes("\"hosts\" for \"a\""))
      assert.deepStrictEqual(
        CircuitBreaker.circuits(policy).map(([key, { state }]) => [key, state]),
        [[undefined, "closed"], ["a", "open"], ["b", "closed"]]
      )
      assert.strictEqual(stateOf(policy), "open") // the worst
      yield* CircuitBreaker.reset(policy, "b")
      assert.strictEqual(stateOf(policy), "open")
      yield* CircuitBreaker.reset(policy, "a")
      assert.isTrue(Exit.isSuccess(yield* to("a", Effect.void)))
    }))

  it.effect("keeps so many keys at most, and none for long that nobody asks for", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { perKey: { max: 10, idle: "1 minute" } } })
      const to = (key: string) => Policy.apply(Effect.void, policy, Operation.make("get", { idempotent: true, key }))
      const keys = () => CircuitBreaker.circuits(policy).flatMap(([key]) => key ?? [])
      for (let i = 0; i < 100; i++) {
        yield* to(`host ${i}`)
        yield* to("busy")
        assert.isAtMost(keys().length, 10)
      }
      assert.deepInclude(CircuitBreaker.circuits(policy).find(([key]) => key === "busy")?.[1], { calls: 100 })
      yield* TestClock.adjust("1 minute")
      yield* to("busy")
      yield* to("new")
      yield* TestClock.adjust("1 minute")
      yield* to("busy")
      yield* to("newer")
      assert.sameMembers(keys(), ["busy", "new", "newer"])
    }))

  it.effect("obeys: forced open it rejects for ever, disabled it counts nothing, and otherwise it only looks on", () =>
    Effect.gen(function*() {
      const policy = made()
      const failing = call(policy, Effect.fail(new Down()))
      yield* CircuitBreaker.setMode(policy, "metricsOnly")
      yield* times(6, failing)
      assert.deepInclude(Policy.snapshot(policy).circuit, { state: "closed", calls: 6, failures: 6 })
      yield* CircuitBreaker.setMode(policy, "disabled")
      yield* times(6, failing)
      assert.deepInclude(Policy.snapshot(policy).circuit, { state: "closed", mode: "disabled", calls: 6 })
      yield* CircuitBreaker.setMode(policy, "forcedOpen")
      yield* TestClock.adjust("30 days")
      const { message, reason } = yield* Effect.flip(Policy.apply(Effect.void, policy, read))
      assert.include(message, "forced open")
      if (reason._tag !== "CircuitOpen") return assert.fail(reason._tag)
      assert.isFalse(Duration.isFinite(reason.retryAfter))
      assert.strictEqual(Duration.toDays(reason.openFor), 30)
      yield* CircuitBreaker.reset(policy)
      assert.strictEqual(stateOf(policy), "open")
      yield* CircuitBreaker.setMode(policy, "automatic")
      assert.isTrue(Exit.isSuccess(yield* call(policy, Effect.void)))
      yield* times(3, failing)
      assert.strictEqual(stateOf(policy), "open")
      yield* CircuitBreaker.reset(policy)
      assert.deepInclude(Policy.snapshot(policy).circuit, { state: "closed", calls: 0 })
    }))

  it.effect("begins as told", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { mode: "forcedOpen" } })
      assert.strictEqual(stateOf(policy), "open")
      assert.isTrue(Exit.isFailure(yield* call(policy, Effect.void)))
      const watching = Policy.make({ breaker: { ...options, mode: "metricsOnly" } })
      yield* times(9, call(watching, Effect.fail(new Down())))
      assert.strictEqual(stateOf(watching), "closed")
    }))

  it.effect("tells its transitions to who holds the breaker, whichever policy it stands in", () =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.make({ ...options, perKey: {} })
      const policy = Policy.compose(Policy.make({ deadline: "1 minute" }), breaker)
      const listener = yield* Effect.forkChild(Stream.runCollect(Stream.take(CircuitBreaker.transitions(breaker), 3)))
      yield* times(20, Effect.yieldNow)
      const to = Operation.make("get", { idempotent: true, key: "a" })
      yield* times(4, Effect.exit(Policy.apply(Effect.fail(new Down()), policy, to)))
      yield* CircuitBreaker.setMode(policy, "disabled")
      assert.deepStrictEqual(yield* Fiber.join(listener), [
        { key: "a", from: "closed", to: "open", mode: "automatic" },
        { key: undefined, from: "closed", to: "closed", mode: "disabled" },
        { key: "a", from: "open", to: "closed", mode: "disabled" }
      ])
    }))

  it("refuses options out of range", () => {
    assert.throws(() => CircuitBreaker.make({ failureRate: 0 }), RangeError, /failureRate.*0/)
    assert.throws(() => CircuitBreaker.make({ window: 5, minimumCalls: 6 }), RangeError, /minimumCalls.*6/)
    assert.throws(() => CircuitBreaker.make({ openFor: 0 }), RangeError, /openFor.*0/)
    assert.throws(() => CircuitBreaker.make({ halfOpenCalls: 0 }), RangeError, /halfOpenCalls/)
    assert.throws(() => CircuitBreaker.make({ window: { last: 0 } }), RangeError, /window\.last/)
    assert.throws(() => CircuitBreaker.make({ slowCall: { after: 0 } }), RangeError, /slowCall\.after/)
    assert.throws(() => CircuitBreaker.make({ slowCall: { after: 1, rate: 0 } }), RangeError, /slowCall\.rate/)
    assert.throws(() => CircuitBreaker.make({ consecutive: 0 }), RangeError, /consecutive/)
    assert.throws(() => CircuitBreaker.make({ perKey: { max: 1 } }), RangeError, /perKey\.max/)
  })

  it.effect("leaks no permit when the interrupt lands at any operation of a probe", () =>
    Effect.gen(function*() {
      for (let at = 0; at < 60; at++) {
        const policy = Policy.make({ breaker: { ...options, openFor: "1 millis", ...at % 2 === 0 && { slowCall } } })
        yield* times(4, call(policy, Effect.fail(new Down())))
        yield* TestClock.adjust("2 millis")
        const probe = Effect.runForkWith(yield* Effect.context<never>())(
          Effect.provideService(
            call(policy, Effect.andThen(Effect.void, Effect.void)),
            Scheduler.Scheduler,
            yieldAt(at >> 1)
          )
        )
        probe.interruptUnsafe()
        yield* Fiber.await(probe)
        yield* times(2, call(policy, Effect.void))
        assert.strictEqual(stateOf(policy), "closed", `operation ${at}`)
      }
    }))
})

const never = { slowRate: Infinity, consecutive: Infinity }

describe("the automaton", () => {
  it("decides as soon as the probes that are left cannot change it", () => {
    const time = { now: () => 0 }
    const after = (...failed: ReadonlyArray<boolean>) => {
      const breaker = new BreakerState({ ...never, window: 10, minimumCalls: 1, failureRate: 0.5, permits: 4 }, 0)
      breaker.record(breaker.generation, true, false, time)
      for (const _ of [1, 2, 3, 4]) assert.isTrue(breaker.admit(time))
      const { generation } = breaker
      for (const one of failed) breaker.record(generation, one, false, time)
      return breaker.state
    }
    assert.strictEqual(after(false, false), "half-open")
    assert.strictEqual(after(false, false, false), "closed")
    assert.strictEqual(after(true, false, false), "half-open")
    assert.strictEqual(after(true, false, false, false), "closed")
    assert.strictEqual(after(true, true), "open")
    assert.strictEqual(after(true, false, true), "open")
  })

  it("has the legal edges only, never admits more probes in a period than permits, and always comes to admit again", () => {
    const choices = seeded(seed)
    const legal = new Set([
      "closed open",
      "open half-open",
      "half-open open",
      "half-open closed"
    ])
    const settings = { ...never, window: 8, minimumCalls: 4, failureRate: 0.5, permits: 3 }
    for (let round = 0; round < 200; round++) {
      const breaker = new BreakerState(settings, 100)
      const running: Array<number> = []
      let periods = 0
      let now = 0
      const time = { now: () => now }
      for (let step = 0; step < 200; step++) {
        const before = { state: breaker.state, generation: breaker.generation, openUntil: breaker.openUntil }
        const dice = choices.next()
        if (dice < 0.4) {
          if (breaker.admit(time)) running.push(breaker.generation)
        } else if (dice < 0.8 && running.length > 0) {
          const [generation] = running.splice(choices.below(running.length), 1)
          if (choices.next() < 0.2) breaker.forget(generation!)
          else breaker.record(generation!, choices.next() < 0.6, false, time)
        } else {
          now += choices.below(80)
        }
        const at = `seed ${seed}, round ${round}, step ${step}`
        if (breaker.generation !== before.generation) {
          assert.strictEqual(breaker.generation, before.generation + 1, at)
          assert.isTrue(legal.has(`${before.state} ${breaker.state}`), `${before.state} ${breaker.state}, ${at}`)
        }
        if (breaker.generation !== before.generation) periods = 1
        else if (breaker.openUntil !== before.openUntil) periods++
        const probes = running.filter((generation) => generation === breaker.generation).length
        if (breaker.state === "half-open") {
          assert.isAtMost(probes + breaker.tally.calls, periods * settings.permits, at)
        }
      }
      now += 101
      assert.isTrue(breaker.admit(time), `seed ${seed}, round ${round}`)
    }
  })
})
