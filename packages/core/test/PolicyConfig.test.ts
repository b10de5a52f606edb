import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"

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

  it.effect("fails as ConfigError for what is malformed, out of range, or does not go together", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<Record<string, string>> = [
        { POLICY_DEADLINE: "soon" },
        { POLICY_BREAKER_FAILURE_RATE: "2" },
        { POLICY_BREAKER_MODE: "ajar" },
        { POLICY_DEADLINE: "1 second", POLICY_TIMEOUT: "2 seconds" }
      ]
      for (const variables of wrong) {
        assert.instanceOf(yield* Effect.flip(made(variables)), Config.ConfigError, JSON.stringify(variables))
      }
    }))
})
