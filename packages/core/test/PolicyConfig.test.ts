import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"
import { drawing } from "./support/calls.ts"

const read = Operation.make("read", { idempotent: true })

const made = (variables: Record<string, string>, defaults?: Policy.Options, prefix?: string) =>
  Policy.fromConfig(defaults, prefix).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: variables }))
  )

const took = (policy: Policy.Policy<unknown>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.timed(Effect.exit(Policy.apply(Effect.never, policy, read))))
    yield* TestClock.adjust("1 hour")
    return Duration.toMillis((yield* Fiber.join(fiber))[0])
  })

describe("a policy from configuration", () => {
  it.effect("takes what the operator gives over what the program gives, and leaves the rest", () =>
    Effect.gen(function*() {
      const policy = yield* made({ POLICY_DEADLINE: "3 seconds", POLICY_RETRY_TIMES: "2" }, {
        name: "orders",
        deadline: "9 seconds",
        timeout: "2 seconds",
        retry: { times: 0 }
      })
      assert.strictEqual(policy.name, "orders")
      assert.strictEqual(yield* took(policy), 3000)
      assert.strictEqual(Policy.snapshot(policy).retries, 1)
    }))

  it.effect("begins a breaker with its first setting, under a prefix of one's own", () =>
    Effect.gen(function*() {
      const policy = yield* made({ ORDERS_BREAKER_MODE: "forcedOpen" }, {}, "ORDERS")
      assert.deepInclude(Policy.snapshot(policy).circuit, { state: "open", mode: "forcedOpen" })
      assert.isUndefined(Policy.snapshot(yield* made({})).circuit)
      const open = yield* made({ POLICY_BREAKER_WINDOW: "1", POLICY_BREAKER_OPEN_FOR: "7 seconds" })
      yield* Effect.exit(Policy.apply(Effect.fail("down"), open, read))
      const error = yield* Effect.flip(Policy.apply(Effect.void, open, read))
      assert.include(error.message, "7s")
    }))

  it.effect("reads every setting from the path of its option", () =>
    Effect.gen(function*() {
      const limits = yield* made({
        POLICY_BULKHEAD_PERMITS: "3",
        POLICY_BULKHEAD_MAX_WAIT: "40 millis",
        POLICY_BULKHEAD_QUEUE: "1",
        POLICY_RATE_LIMIT_LIMIT: "5",
        POLICY_RATE_LIMIT_PER_KEY_MAX: "7"
      })
      const shown = Policy.snapshot(limits)
      assert.deepInclude(shown.bulkhead, { permits: 3 })
      assert.deepStrictEqual(shown.rateLimit, { keys: 0, waiting: 0 })
      const holders = yield* Effect.forEach(["a", "b", "c"], (key) =>
        Effect.forkChild(Policy.apply(Effect.never, limits, Operation.make("read", { idempotent: true, key })), {
          startImmediately: true
        }))
      assert.strictEqual(Policy.snapshot(limits).rateLimit?.keys, 3)
      assert.strictEqual(yield* took(limits), 40)
      yield* Effect.forEach(holders, Fiber.interrupt)
      const apart = yield* made({ POLICY_BULKHEAD_PERMITS: "1", POLICY_BULKHEAD_PER_KEY_MAX: "2" })
      assert.strictEqual(Policy.snapshot(apart).bulkhead?.keys, 0)
      const repeats = yield* made({
        POLICY_THROTTLE_WINDOW: "1 minute",
        POLICY_HEDGE_AFTER: "50 millis",
        POLICY_HEDGE_EXTRA_LOAD: "0.1",
        POLICY_ADAPTIVE_LIMIT_LIMIT_INITIAL: "4",
        POLICY_ADAPTIVE_LIMIT_LIMIT_MAX: "9"
      })
      assert.deepStrictEqual(Policy.snapshot(repeats).hedgeAfter, Duration.millis(50))
      assert.strictEqual(Policy.snapshot(repeats).retryBudget?.share, 0.1)
      assert.strictEqual(Policy.snapshot(repeats).adaptiveLimit?.limit, 4)
      assert.deepStrictEqual(Policy.snapshot(repeats).throttle, { requests: 0, accepts: 0 })
      Policy.update(repeats, { adaptiveLimit: { limit: { min: 9 } } })
      assert.strictEqual(Policy.snapshot(repeats).adaptiveLimit?.limit, 9)
    }))

  it.effect("sets the bounds of the delays between attempts", () =>
    Effect.gen(function*() {
      const policy = yield* made({
        POLICY_RETRY_TIMES: "3",
        POLICY_RETRY_BASE: "4 seconds",
        POLICY_RETRY_CAP: "6 seconds"
      })
      const fiber = yield* Effect.forkChild(
        Effect.timed(Effect.exit(Policy.apply(Effect.fail("down"), policy, read))).pipe(drawing(0.5))
      )
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(Duration.toMillis((yield* Fiber.join(fiber))[0]), 2000 + 3000 + 3000)
    }))

  it.effect("leaves the other settings of a group as the program has them, and the program's own object too", () =>
    Effect.gen(function*() {
      const defaults: Policy.Options = {
        breaker: { window: 1, openFor: "7 seconds" },
        adaptiveLimit: { limit: { min: 2, max: 8 } }
      }
      const policy = yield* made({ POLICY_BREAKER_MODE: "metricsOnly", POLICY_ADAPTIVE_LIMIT_LIMIT_MAX: "5" }, defaults)
      yield* Effect.exit(Policy.apply(Effect.fail("down"), policy, read))
      assert.deepInclude(Policy.snapshot(policy).circuit, { calls: 1, mode: "metricsOnly", state: "closed" })
      assert.throws(() => Policy.update(policy, { adaptiveLimit: { limit: { min: 6 } } }), RangeError, /max" is 5/)
      assert.deepStrictEqual(defaults, {
        breaker: { window: 1, openFor: "7 seconds" },
        adaptiveLimit: { limit: { min: 2, max: 8 } }
      })
    }))

  it.effect("fails as ConfigError for what is malformed, out of range, or does not go together", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<Record<string, string>> = [
        { POLICY_DEADLINE: "soon" },
        { POLICY_BREAKER_FAILURE_RATE: "2" },
        { POLICY_BREAKER_MODE: "ajar" },
        { POLICY_DEADLINE: "1 second", POLICY_TIMEOUT: "2 seconds" },
        { POLICY_RETRY_TIMES: "1", POLICY_RETRY_BASE: "9 seconds", POLICY_RETRY_CAP: "1 second" },
        { POLICY_RETRY_TIMES: "1", POLICY_HEDGE_AFTER: "1 second" },
        { POLICY_HEDGE_CANCEL_LOSER: "perhaps" },
        { POLICY_BULKHEAD_ORDER: "lifo" }
      ]
      for (const variables of wrong) {
        assert.instanceOf(yield* Effect.flip(made(variables)), Config.ConfigError, JSON.stringify(variables))
      }
    }))

  it.effect("names the option that is out of range, or that a part lacks, by its path", () =>
    Effect.gen(function*() {
      const named: ReadonlyArray<readonly [variables: Record<string, string>, option: RegExp]> = [
        [{ POLICY_BREAKER_FAILURE_RATE: "2" }, /"breaker\.failureRate" is 2/],
        [{ POLICY_BULKHEAD_QUEUE: "1" }, /"bulkhead\.permits" is undefined/],
        [{ POLICY_RETRY_MAX_RETRY_AFTER: "1 second" }, /"retry\.times" is undefined/],
        [{ POLICY_RETRY_TIMES: "1", POLICY_RETRY_BASE: "9 seconds" }, /"retry\.base" is 9s/],
        [{ POLICY_CHAOS_ERROR_SHARE: "0.1" }, /"chaos\.seed" is undefined/]
      ]
      for (const [variables, option] of named) {
        assert.match((yield* Effect.flip(made(variables))).message, option)
      }
    }))
})
