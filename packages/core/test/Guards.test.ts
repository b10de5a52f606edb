import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import * as Bulkhead from "../src/policy/Bulkhead.ts"
import * as CircuitBreaker from "../src/policy/CircuitBreaker.ts"
import { RetryScope } from "../src/policy/internal/policy.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as RateLimit from "../src/policy/RateLimit.ts"
import { Down } from "./support/calls.ts"
import { yieldAt } from "./support/interrupts.ts"

const read = Operation.make("read", { idempotent: true })
const down = Effect.fail(new Down({ outcome: Outcome.failure("yes") }))
const scope = Effect.map(Effect.context<never>(), (context) => Context.get(context, RetryScope))

describe("guards that stand next to each other", () => {
  it.effect("are all told of the end, also where a classifier throws", () =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.make({
        classify: () => {
          throw new Error("a bug")
        }
      })
      const policy = Policy.compose(Bulkhead.make({ permits: 1 }), breaker)
      const exit = yield* Effect.exit(Policy.apply(Effect.void, policy, read))
      assert.isTrue(Exit.hasDies(exit))
      assert.strictEqual(Policy.snapshot(policy).bulkhead?.running, 0)
    }))

  it.effect("are asked when the attempt begins, not before what stands outside of them has waited", () =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.make({ window: 1, openFor: "1 minute" })
      const limit = RateLimit.make({ limit: 1 })
      const policy = Policy.compose(limit, breaker)
      yield* Policy.apply(Effect.void, policy, read)
      const late = yield* Effect.forkChild(Effect.exit(Policy.apply(Effect.void, policy, read)), {
        startImmediately: true
      })
      yield* Effect.exit(Policy.apply(down, breaker, read))
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.hasFails(yield* Fiber.join(late)))
      assert.strictEqual(Policy.snapshot(policy).circuitRejected, 1)
    }))

  it.effect("let an attempt know which one it is, and nobody after it, wherever the interrupt lands", () =>
    Effect.gen(function*() {
      const within = new Set<unknown>()
      const after = new Set<unknown>()
      const into = (set: Set<unknown>) => Effect.tap(scope, (one) => Effect.sync(() => set.add(one)))
      for (let at = 0; at < 60; at++) {
        const policy = Policy.make({ retry: { times: 1 }, breaker: { window: 1 }, bulkhead: { permits: 1 } })
        const call = Effect.exit(Effect.interruptible(Policy.apply(into(within), policy, read)))
        const fiber = Effect.runForkWith(yield* Effect.context<never>())(
          Effect.provideService(
            Effect.uninterruptible(Effect.andThen(call, into(after))),
            Scheduler.Scheduler,
            yieldAt(at)
          )
        )
        fiber.interruptUnsafe()
        yield* Fiber.await(fiber)
        assert.deepStrictEqual([...after], at === 0 ? [] : [undefined], `operation ${at}`)
        assert.strictEqual(Policy.snapshot(policy).bulkhead?.running, 0, `operation ${at}`)
      }
      assert.deepStrictEqual([...new Set(Array.from(within, (one) => JSON.stringify(one)))], [
        "{\"attempt\":1,\"of\":2}"
      ])
    }))
})
