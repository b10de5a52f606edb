import { CircuitBreaker, Operation, Policy, RetryBudget } from "@breakwater/core"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import * as CallPolicy from "../../src/backend/CallPolicy.ts"

describe("The option policy of a backend", () => {
  it("has the standard retry and breaker, unless it says otherwise", () => {
    assert.deepInclude(CallPolicy.partsOf({}, []), { retry: { times: 2 }, breaker: {}, hedge: undefined })
    assert.deepInclude(CallPolicy.partsOf({ retry: { times: 5 }, breaker: { window: 7 } }, []), {
      retry: { times: 5 },
      breaker: { window: 7 }
    })
    assert.deepInclude(CallPolicy.partsOf({ retry: false, breaker: false }, []), {
      retry: undefined,
      breaker: undefined
    })
    assert.deepInclude(CallPolicy.partsOf({}, [], { retry: { times: 3 } }), { retry: { times: 3 }, breaker: undefined })
  })

  it("has no retry beside a hedge, and refuses one that is asked for", () => {
    const parts = CallPolicy.partsOf(Policy.read, [])
    assert.deepInclude(parts, { retry: undefined, hedge: {} })
    const both = CallPolicy.partsOf({ hedge: {}, retry: { times: 1 } }, [])
    assert.throws(() => Policy.make<Policy.Options>(both), RangeError, "a retry and a hedge")
  })

  it("refuses what there is not, by name, and takes what is the backend's own", () => {
    const misspelt = Object.assign({ deadline: "1 second" } as const, { hegde: {} })
    assert.throws(
      () => CallPolicy.partsOf<CallPolicy.Options>(misspelt, []),
      RangeError,
      "Option \"policy.hegde\" is not known; allowed is one of deadline, timeout, throttle, retry, hedge,"
    )
    const reading: CallPolicy.Options & { readonly reads: "idempotent" } = { reads: "idempotent" }
    assert.doesNotThrow(() => CallPolicy.partsOf(reading, ["reads"]))
  })

  it("has one budget for all that repeats: the given one, or one of its own that a hedge cannot exceed", () => {
    const given = RetryBudget.make({ share: 0.5 })
    const retrying = CallPolicy.onOneBudget(CallPolicy.partsOf({ retry: { times: 1, budget: given } }, []))
    assert.strictEqual(retrying.budget, given)
    const hedging = CallPolicy.onOneBudget(CallPolicy.partsOf({ hedge: { extraLoad: 0.1 } }, []))
    assert.strictEqual(hedging.parts.hedge?.budget, hedging.budget)
    assert.strictEqual(Policy.snapshot(Policy.make<Policy.Options>(hedging.parts)).retryBudget?.share, 0.1)
    assert.throws(
      () => CallPolicy.onOneBudget({ hedge: { extraLoad: 2 } }),
      RangeError,
      "Option \"policy.hedge.extraLoad\" is 2"
    )
  })
})

describe("The option policy from configuration", () => {
  const read = <D extends CallPolicy.Options>(env: Record<string, string>, defaults: D) =>
    CallPolicy.config(defaults, "DB").parse(ConfigProvider.fromEnv({ env }))

  it.effect("is what the operator sets over what the program gives, which may have taken a part out", () =>
    Effect.gen(function*() {
      const defaults = { retry: false, breaker: { window: 7 }, reads: "idempotent" } as const
      assert.deepStrictEqual<object>(yield* read({}, defaults), defaults)
      const env = { DB_RETRY_TIMES: "1", DB_BREAKER_MINIMUM_CALLS: "3", DB_DEADLINE: "4 seconds" }
      const set = yield* read(env, defaults)
      assert.deepInclude(set, { retry: { times: 1 }, breaker: { window: 7, minimumCalls: 3 }, reads: "idempotent" })
      assert.deepStrictEqual(set.deadline, Duration.seconds(4))
    }))

  it.effect("leaves it to the backend how often is repeated where only the delays are set", () =>
    Effect.gen(function*() {
      const set = yield* read({ DB_RETRY_CAP: "1 second", DB_RETRY_MAX_RETRY_AFTER: "9 seconds" }, {})
      const { retry } = CallPolicy.partsOf(set, [])
      assert.deepInclude(retry, { times: 2, maxRetryAfter: Duration.seconds(9) })
      assert.isDefined(retry?.schedule)
    }))

  it.effect("fails where what is set is malformed", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(read({ DB_RETRY_TIMES: "often" }, {}))
      assert.include(error.message, "DB_RETRY_TIMES")
    }))
})

describe("What goes around the wait for a connection", () => {
  const read = Operation.make("orders.borrow", { idempotent: true })

  it.effect("shares the circuit with the calls, and asks for one connection, past what bounds the calls", () =>
    Effect.gen(function*() {
      const calls = Policy.make({
        name: "orders",
        hedge: { after: "1 milli" },
        breaker: { consecutive: 1 },
        bulkhead: { permits: 1, queue: 0 }
      })
      const waits = CallPolicy.borrowing(calls)
      let begun = 0
      const slow = Effect.andThen(Effect.sync(() => begun++), Effect.sleep("5 millis"))
      const held = yield* Effect.forkChild(Policy.apply(Effect.never, calls, read), { startImmediately: true })
      const [one] = yield* Effect.all([Effect.exit(Policy.apply(slow, waits, read)), TestClock.adjust("10 millis")], {
        concurrency: 2
      })
      assert.strictEqual(one._tag, "Success")
      assert.strictEqual(begun, 1)
      held.interruptUnsafe()
      yield* Effect.flip(Policy.apply(Effect.fail("gone"), waits, read))
      assert.strictEqual(CircuitBreaker.circuits(calls)[0]?.[1].state, "open")
    }))

  it.effect("is the same policy where there is none of that, and counts once", () =>
    Effect.gen(function*() {
      const calls = Policy.make({ name: "orders", retry: { times: 1 } })
      const waits = CallPolicy.borrowing(calls)
      assert.strictEqual(waits, calls)
      const inside = Policy.make({ name: "orders", timeout: "1 second" })
      yield* Policy.apply(Effect.void, calls, read)
      yield* Policy.apply(Effect.void, inside, read)
      assert.include(CallPolicy.snapshot([calls, waits, inside]), { name: "orders", calls: 2, attempts: 2 })
      assert.isDefined(CallPolicy.snapshot([calls, waits, inside]).retryBudget)
    }))
})

describe("The policies of a backend", () => {
  const read = Operation.make("orders.read", { idempotent: true })

  const made = () => {
    const calls = Policy.make({ name: "orders", deadline: "10 seconds", timeout: "4 seconds", breaker: {}, hedge: {} })
    const inside = Policy.make({ name: "orders", deadline: "10 seconds", timeout: "4 seconds" })
    return [calls, CallPolicy.borrowing(calls), inside] as const
  }

  it("change each part wherever it is, and refuse one that none of them has", () => {
    const policies = made()
    const { update } = CallPolicy.steering(policies)
    update?.({ timeout: "1 second", hedge: { after: "100 millis" } })
    for (const policy of policies) assert.deepStrictEqual(Policy.limits(policy).timeout, Duration.seconds(1))
    assert.throws(
      () => update?.({ timeout: "2 seconds", bulkhead: { permits: 1 } }),
      RangeError,
      "Option \"bulkhead\" is to change in \"orders\""
    )
    assert.deepStrictEqual(Policy.limits(policies[2]).timeout, Duration.seconds(1))
  })

  it("change in none of them where one refuses", () => {
    const calls = Policy.make({ name: "orders", deadline: "10 seconds" })
    const inside = Policy.make({ name: "orders", deadline: "10 seconds", timeout: "4 seconds" })
    const { update } = CallPolicy.steering([calls, inside])
    assert.throws(() => update?.({ deadline: "2 seconds" }), RangeError, "less than the deadline, which is 2s")
    for (const policy of [calls, inside]) {
      assert.deepStrictEqual(Policy.limits(policy).deadline, Duration.seconds(10))
    }
  })

  it.effect("have one circuit, which is forced open and closed again by whoever steers the backend", () =>
    Effect.gen(function*() {
      const [calls, waits, inside] = made()
      const { breaker } = CallPolicy.steering([calls, waits, inside])
      yield* breaker?.setMode("forcedOpen") ?? Effect.void
      for (const policy of [calls, waits]) {
        const { reason } = yield* Effect.flip(Policy.apply(Effect.void, policy, read))
        assert.strictEqual(reason._tag, "CircuitOpen")
      }
      yield* Policy.apply(Effect.void, inside, read)
      yield* breaker?.setMode("automatic") ?? Effect.void
      yield* Policy.apply(Effect.void, calls, read)
      assert.isUndefined(CallPolicy.steering([inside]).breaker)
    }))

  it.effect("close an open circuit when they are reset", () =>
    Effect.gen(function*() {
      const calls = Policy.make({ name: "orders", breaker: { consecutive: 1 } })
      const { breaker } = CallPolicy.steering([calls])
      yield* Effect.flip(Policy.apply(Effect.fail("gone"), calls, read))
      assert.strictEqual(Policy.snapshot(calls).circuit?.state, "open")
      yield* breaker?.reset ?? Effect.void
      assert.strictEqual(Policy.snapshot(calls).circuit?.state, "closed")
    }))
})
