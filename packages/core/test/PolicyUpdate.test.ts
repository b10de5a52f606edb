import { assert, describe, it } from "@effect/vitest"
import { Data, Duration, Effect, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"

class Down extends Data.TaggedError("Down") {}

const read = Operation.make("read", { idempotent: true })

const call = <A, E>(policy: Policy.Policy<unknown>, work: Effect.Effect<A, E>) =>
  Effect.exit(Policy.apply(work, policy, read))

const failing = (policy: Policy.Policy<unknown>) => call(policy, Effect.fail(new Down()))

const took = Effect.fnUntraced(function*(policy: Policy.Policy<unknown>) {
  const fiber = yield* Effect.forkChild(Effect.timed(call(policy, Effect.never)))
  yield* TestClock.adjust("1 hour")
  return Duration.toMillis((yield* Fiber.join(fiber))[0])
})

describe("update", () => {
  it.effect("changes the times of calls that come, and not of those under way", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ deadline: "10 seconds", timeout: "4 seconds" })
      const before = yield* Effect.forkChild(Effect.timed(call(policy, Effect.never)), { startImmediately: true })
      Policy.update(policy, { deadline: "3 seconds", timeout: "1 second" })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(Duration.toMillis((yield* Fiber.join(before))[0]), 4000)
      assert.strictEqual(yield* took(policy), 1000)
      Policy.update(policy, { timeout: "2 seconds" })
      assert.strictEqual(yield* took(policy), 2000)
    }))

  it.effect("goes on from the breaker's window with another share, and with a window of another size", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { window: 10, minimumCalls: 4 } })
      yield* failing(policy)
      for (let n = 0; n < 4; n++) yield* call(policy, Effect.void)
      for (let n = 0; n < 2; n++) yield* failing(policy)
      Policy.update(policy, { breaker: { window: 6 } })
      assert.deepInclude(Policy.snapshot(policy).circuit, { state: "closed", calls: 6, failures: 2 })
      Policy.update(policy, { breaker: { failureRate: 0.3 } })
      yield* call(policy, Effect.void)
      assert.deepInclude(Policy.snapshot(policy).circuit, { state: "open" })
    }))

  it.effect("keeps an open circuit open, and lets as many probes through as there are to be", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { window: 4, minimumCalls: 4, halfOpenCalls: 4, openFor: "5 seconds" } })
      for (let n = 0; n < 4; n++) yield* failing(policy)
      Policy.update(policy, { breaker: { halfOpenCalls: 1 } })
      assert.strictEqual(Policy.snapshot(policy).circuit?.state, "open")
      yield* TestClock.adjust("5 seconds")
      yield* call(policy, Effect.void)
      assert.strictEqual(Policy.snapshot(policy).circuit?.state, "closed")
    }))

  it.effect("gives a circuit that is half-open the permits that it is to have more", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { window: 4, minimumCalls: 4, halfOpenCalls: 1, openFor: "5 seconds" } })
      for (let n = 0; n < 4; n++) yield* failing(policy)
      yield* TestClock.adjust("5 seconds")
      const hung = yield* Effect.forkChild(call(policy, Effect.never), { startImmediately: true })
      assert.strictEqual((yield* call(policy, Effect.void))._tag, "Failure")
      Policy.update(policy, { breaker: { halfOpenCalls: 2 } })
      assert.strictEqual((yield* call(policy, Effect.void))._tag, "Success")
      assert.strictEqual((yield* call(policy, Effect.void))._tag, "Failure")
      yield* Fiber.interrupt(hung)
    }))

  it.effect("goes on with how long the circuit is open, and begins anew with another schedule", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { window: 1, openFor: Schedule.exponential("1 second") } })
      const retryAfter = Effect.gen(function*() {
        yield* failing(policy)
        const { reason } = yield* Effect.flip(Policy.apply(Effect.void, policy, read))
        if (reason._tag !== "CircuitOpen") return assert.fail(reason._tag)
        yield* TestClock.adjust(reason.retryAfter)
        return Duration.toSeconds(reason.retryAfter)
      })
      assert.deepStrictEqual([yield* retryAfter, yield* retryAfter], [1, 2])
      Policy.update(policy, { breaker: { failureRate: 0.4 } })
      assert.strictEqual(yield* retryAfter, 4)
      Policy.update(policy, { breaker: { openFor: "7 seconds" } })
      assert.strictEqual(yield* retryAfter, 7)
    }))

  it.effect("changes how often a retry repeats, and keeps its budget and its other settings", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ retry: { times: 3, schedule: Schedule.spaced("1 second") } })
      const attempts = Effect.gen(function*() {
        const before = Policy.snapshot(policy).attempts
        const fiber = yield* Effect.forkChild(Effect.timed(failing(policy)))
        yield* TestClock.adjust("1 minute")
        const [time] = yield* Fiber.join(fiber)
        return [Policy.snapshot(policy).attempts - before, Duration.toSeconds(time)]
      })
      assert.deepStrictEqual(yield* attempts, [4, 3])
      const { retryBudget } = Policy.snapshot(policy)
      Policy.update(policy, { retry: { times: 1 } })
      assert.deepStrictEqual(Policy.snapshot(policy).retryBudget, retryBudget)
      assert.deepStrictEqual(yield* attempts, [2, 1])
      Policy.update(policy, { retry: { times: 0 } })
      assert.deepStrictEqual(yield* attempts, [1, 0])
    }))

  it.effect("does not fill the budget of a retry anew", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ retry: { times: 50, schedule: Schedule.spaced(1) } })
      const retries = Effect.gen(function*() {
        const before = Policy.snapshot(policy).retries
        const fiber = yield* Effect.forkChild(failing(policy))
        yield* TestClock.adjust(60)
        yield* Fiber.join(fiber)
        return Policy.snapshot(policy).retries - before
      })
      assert.isAtLeast(yield* retries, 10)
      Policy.update(policy, { retry: { times: 40 } })
      assert.isAtMost(yield* retries, 1)
    }))

  it("refuses what is out of range or has no part, and then changes nothing", () => {
    const policy = Policy.make({ deadline: "10 seconds", timeout: "4 seconds", breaker: { window: 10 } })
    assert.throws(() => Policy.update(policy, { timeout: "10 seconds" }), RangeError, /timeout.*deadline/)
    assert.throws(() => Policy.update(policy, { deadline: "3 seconds" }), RangeError, /timeout.*deadline/)
    assert.throws(() => Policy.update(policy, { retry: { times: 1 } }), RangeError, /retry.*made with/)
    assert.throws(() => Policy.update(policy, { deadline: "3 seconds", breaker: { window: 0 } }), RangeError, /window/)
    assert.throws(() => Policy.update(policy, { breaker: { window: 5, minimumCalls: 6 } }), RangeError, /minimumCalls/)
    Policy.update(policy, { timeout: "9 seconds" }) // shorter than the deadline as it was
  })

  it("takes what is undefined for left out, as in a policy's options", () => {
    const policy = Policy.make({ retry: { times: 3 }, bulkhead: { permits: 4 }, breaker: { window: 10 } })
    Policy.update(policy, {
      deadline: undefined,
      retry: { times: undefined },
      bulkhead: { permits: undefined, queue: 1 },
      breaker: { window: undefined, failureRate: 1 }
    })
    assert.strictEqual(Policy.snapshot(policy).bulkhead?.permits, 4)
    // A minimum of more calls than the window holds: it is still the one of ten.
    assert.throws(() => Policy.update(policy, { breaker: { minimumCalls: 11 } }), RangeError, /from 1 to 10/)
  })

  it("refuses what has no name in a policy, where types did not", () => {
    const policy = Policy.make({ retry: { times: 1 } })
    const misspelt: object = { retyr: { times: 1 }, toString: 1 }
    assert.throws(() => Policy.update(policy, misspelt), RangeError, /"retyr" is to change in "policy"/)
  })
})

/** Settings out of range, as `make` takes them and as `update` does, with the path that both name. */
const outOfRange: ReadonlyArray<readonly [path: string, options: Policy.Options, changes: Policy.Update]> = [
  ["deadline", { deadline: 0 }, { deadline: 0 }],
  ["timeout", { timeout: 0 }, { timeout: 0 }],
  ["throttle.window", { throttle: { window: 0 } }, { throttle: { window: 0 } }],
  ["retry.times", { retry: { times: -1 } }, { retry: { times: -1 } }],
  ["hedge.extraLoad", { hedge: { extraLoad: 1 } }, { hedge: { extraLoad: 1 } }],
  ["recover.timeout", { recover: { when: () => true, clear: Effect.void, timeout: 0 } }, { recover: { timeout: 0 } }],
  ["breaker.failureRate", { breaker: { failureRate: 2 } }, { breaker: { failureRate: 2 } }],
  ["rateLimit.limit", { rateLimit: { limit: 0 } }, { rateLimit: { limit: 0 } }],
  ["adaptiveLimit.limit.max", { adaptiveLimit: { limit: { max: 0 } } }, { adaptiveLimit: { limit: { max: 0 } } }],
  ["bulkhead.permits", { bulkhead: { permits: 0 } }, { bulkhead: { permits: 0 } }],
  ["chaos.error.share", { chaos: { seed: 1, error: { share: 2 } } }, { chaos: { error: { share: 2 } } }]
]

describe("an option out of range", () => {
  const sound: Policy.Options = {
    deadline: "1 minute",
    timeout: "1 second",
    throttle: {},
    recover: { when: () => true, clear: Effect.void },
    breaker: {},
    rateLimit: { limit: 1 },
    chaos: { seed: 1 }
  }
  const policies = [
    Policy.make<Policy.Options>({ ...sound, retry: { times: 1 }, bulkhead: { permits: 1 } }),
    Policy.make<Policy.Options>({ ...sound, hedge: {}, adaptiveLimit: {} })
  ]
  for (const [path, options, changes] of outOfRange) {
    it(`has the same name in make and in update: ${path}`, () => {
      const [part] = path.split(".")
      const policy = policies[part === "hedge" || part === "adaptiveLimit" ? 1 : 0]!
      const named = new RegExp(`^Option "${path}" is`)
      assert.throws(() => Policy.make<Policy.Options>(options), RangeError, named)
      assert.throws(() => Policy.update(policy, changes), RangeError, named)
    })
  }
})

describe("presets", () => {
  it("can be made, alone and with settings of one's own", () => {
    for (const preset of [Policy.standard, Policy.read, Policy.write, Policy.bestEffort]) {
      assert.strictEqual(Policy.make({ ...preset, name: "orders" }).name, "orders")
    }
  })
})

describe("mergeUpdates", () => {
  it("is both, setting by setting, and the later one where they differ", () => {
    const merged = Policy.mergeUpdates(
      {
        deadline: "9 seconds",
        timeout: "2 seconds",
        breaker: { window: 10, failureRate: 0.2 },
        adaptiveLimit: { queue: 3, limit: { min: 2, max: 8 } }
      },
      {
        deadline: "5 seconds",
        timeout: undefined,
        breaker: { failureRate: 0.3, window: undefined },
        adaptiveLimit: { limit: { max: 4, min: undefined } },
        bulkhead: { permits: 1 },
        retry: undefined
      }
    )
    assert.deepStrictEqual(merged, {
      deadline: "5 seconds",
      timeout: "2 seconds",
      breaker: { window: 10, failureRate: 0.3 },
      adaptiveLimit: { queue: 3, limit: { min: 2, max: 4 } },
      bulkhead: { permits: 1 }
    })
  })
})

describe("limits", () => {
  it("are the shortest of each, and missing where there is none", () => {
    assert.deepStrictEqual(Policy.limits(Policy.make({ breaker: {} })), { timeout: undefined, deadline: undefined })
    const both = Policy.compose(
      Policy.make({ deadline: "9 seconds" }),
      Policy.make({ deadline: "3 seconds", timeout: "1 second" })
    )
    assert.deepStrictEqual(Policy.limits(both), { timeout: Duration.seconds(1), deadline: Duration.seconds(3) })
  })
})
