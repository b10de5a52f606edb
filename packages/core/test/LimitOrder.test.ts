import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import type { PolicyError } from "../src/policy/PolicyError.ts"
import * as Pool from "../src/pool/Pool.ts"
import { Down, drawing, scripted } from "./support/calls.ts"

const read = Operation.make("read", { idempotent: true })
const failing = Effect.fail(new Down({ outcome: Outcome.failure("no") }))

/** Each of our own refusals, by settings under which the second of two calls that overlap meets it. */
const refusals = {
  BulkheadFull: { bulkhead: { permits: 1 } },
  LimitExceeded: { adaptiveLimit: { limit: { initial: 1 }, queue: 0 } },
  RateLimited: { rateLimit: { limit: 1, interval: "1 hour", maxWait: 0 } },
  Throttled: { throttle: { multiplier: 1 } }
} as const satisfies Record<string, Policy.Options>

const cases = Object.entries(refusals)

/** The exit of a call after one that failed and beside one that runs. */
const secondOfTwo = <E>(policy: Policy.Policy<E>) =>
  Effect.gen(function*() {
    const call = scripted(Effect.never)
    yield* Effect.exit(Policy.apply(failing, policy, read)).pipe(drawing(0.99))
    yield* Effect.forkChild(Policy.apply(Effect.never, policy, read).pipe(drawing(0.99)), { startImmediately: true })
    const fiber = yield* Effect.forkChild(Effect.exit(Policy.apply(call.effect, policy, read)).pipe(drawing(0)), {
      startImmediately: true
    })
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(call.runs, 0)
    return yield* Fiber.join(fiber)
  })

const reasonOf = (exit: Exit.Exit<unknown, PolicyError | Down>) => {
  const error = Option.getOrThrow(Exit.findErrorOption(exit))
  return error._tag === "PolicyError" ? error.reason._tag : error._tag
}

describe("a refusal on our own side", () => {
  for (const [reason, options] of cases) {
    it.effect(`says nothing to a breaker around it: ${reason}`, () =>
      Effect.gen(function*() {
        const policy = Policy.make<Policy.Options>({ ...options, breaker: { window: 2, minimumCalls: 2 } })
        assert.strictEqual(reasonOf(yield* secondOfTwo(policy)), reason)
        // The call that failed is all that it knows of: one that was refused is not.
        assert.deepInclude(Policy.snapshot(policy).circuit, { state: "closed", calls: 1, failures: 1 })
      }))

    it.effect(`is not repeated and costs no budget: ${reason}`, () =>
      Effect.gen(function*() {
        const policy = Policy.make<Policy.Options>({ ...options, retry: { times: 3 } })
        const before = Policy.snapshot(policy).retryBudget?.balance
        const holder = yield* Effect.forkChild(Policy.apply(Effect.never, policy, read), { startImmediately: true })
        const fiber = yield* Effect.forkChild(Effect.exit(Policy.apply(Effect.void, policy, read)).pipe(drawing(0)))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(reasonOf(yield* Fiber.join(fiber)), reason)
        assert.deepInclude(Policy.snapshot(policy), { retries: 0 })
        assert.strictEqual(Policy.snapshot(policy).retryBudget?.balance, before)
        yield* Fiber.interrupt(holder)
      }))
  }
})

describe("a throttle", () => {
  it.effect("counts a call once, however often it is repeated", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ throttle: {}, retry: { times: 2 } })
      const fiber = yield* Effect.forkChild(
        Effect.exit(Policy.apply(scripted(failing, Effect.void).effect, policy, read)).pipe(drawing(0.99))
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(Policy.snapshot(policy).retries, 1)
      assert.deepStrictEqual(Policy.snapshot(policy).throttle, { requests: 1, accepts: 1 })
    }))

  it.effect("does not hear of what an open circuit refuses", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ throttle: {}, breaker: { window: 1, openFor: "1 hour" } })
      const call = Effect.exit(Policy.apply(failing, policy, read)).pipe(drawing(0.99))
      yield* Effect.replicateEffect(call, 5)
      assert.strictEqual(Policy.snapshot(policy).circuitRejected, 4)
      assert.deepStrictEqual(Policy.snapshot(policy).throttle, { requests: 1, accepts: 0 })
    }))
})

describe("a rate limit", () => {
  it.effect("counts each attempt of a retry", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ retry: { times: 3 }, rateLimit: { limit: 2, interval: "1 hour" } })
      const call = scripted(failing)
      const fiber = yield* Effect.forkChild(Effect.exit(Policy.apply(call.effect, policy, read)).pipe(drawing(0)))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(reasonOf(yield* Fiber.join(fiber)), "RateLimited")
      assert.strictEqual(call.runs, 2)
    }))

  it.effect("takes no permit of a bulkhead for a call that waits", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ rateLimit: { limit: 1 }, bulkhead: { permits: 1 } })
      yield* Policy.apply(Effect.void, policy, read)
      const waiting = yield* Effect.forkChild(Policy.apply(Effect.void, policy, read), { startImmediately: true })
      assert.deepInclude(Policy.snapshot(policy).rateLimit, { waiting: 1 })
      assert.deepInclude(Policy.snapshot(policy).bulkhead, { running: 0 })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting)
    }))

  it.effect("is not asked while the circuit is open", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ breaker: { window: 1, openFor: "1 hour" }, rateLimit: { limit: 1, maxWait: 0 } })
      const call = Effect.exit(Policy.apply(failing, policy, read))
      yield* Effect.replicateEffect(call, 5)
      assert.deepInclude(Policy.snapshot(policy), { circuitRejected: 4, rateLimited: 0 })
    }))
})

describe("an adaptive limit", () => {
  it.effect("stands outside the lease of a pool, whose connections it keeps from being waited for", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ name: "pool", acquire: Effect.succeed("connection"), size: { max: 5 } })
      const policy = Policy.make({ adaptiveLimit: { limit: { initial: 2, max: 5 }, queue: 0 } })
      const call = Policy.run(policy, read, (attempt) => Pool.use(pool, () => attempt(Effect.sleep("1 second"))))
      const fibers = yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.forkChild(Effect.exit(call), { startImmediately: true })
      )
      yield* TestClock.adjust(1)
      assert.deepInclude(yield* Pool.stats(pool), { waiting: 0, used: 2 })
      yield* TestClock.adjust("1 second")
      const exits = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(exits.map((exit) => exit._tag), ["Success", "Success", "Failure"])
    }))

  it.effect("takes a timeout inside of it for a call that was dropped", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ adaptiveLimit: {}, timeout: "2 seconds" })
      const call = Effect.exit(Policy.apply(Effect.never, policy, read))
      const fibers = yield* Effect.forEach(Array.from({ length: 15 }), () => Effect.forkChild(call))
      yield* TestClock.adjust("2 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(Policy.snapshot(policy).adaptiveLimit?.limit, 10)
    }))

  it.effect("gives each attempt of a hedge a permit, and learns nothing from the one that lost", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ hedge: { after: 100, cancelLoser: true }, adaptiveLimit: {} })
      for (let n = 0; n < 12; n++) {
        const call = scripted(Effect.delay(Effect.void, "10 seconds"), Effect.delay(Effect.void, 20))
        const fiber = yield* Effect.forkChild(Policy.apply(call.effect, policy, read))
        yield* TestClock.adjust(110)
        assert.strictEqual(Policy.snapshot(policy).adaptiveLimit?.running, 2)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
      }
      assert.deepInclude(Policy.snapshot(policy).adaptiveLimit, { running: 0, limit: 20 })
    }))
})
