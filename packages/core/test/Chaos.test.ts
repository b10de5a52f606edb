import { assert, describe, it } from "@effect/vitest"
import { Data, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Chaos from "../src/policy/Chaos.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"

class Down extends Data.TaggedError("Down") {}

const read = Operation.make("read", { idempotent: true })

const write = Operation.make("write", { idempotent: false })

const outcomes = (policy: Policy.Policy<unknown>, count: number) =>
  Effect.map(
    Effect.replicateEffect(Effect.exit(Policy.apply(Effect.void, policy, read)), count),
    (exits) => exits.map(Exit.isSuccess)
  )

describe("chaos", () => {
  it.effect("fails the share asked for, and the same attempts for the same seed", () =>
    Effect.gen(function*() {
      const of = (seed: number) => outcomes(Chaos.make({ seed, error: { share: 0.3 } }), 1000)
      const [first, again, other] = [yield* of(1), yield* of(1), yield* of(2)]
      assert.deepStrictEqual(first, again)
      assert.notDeepEqual(first, other)
      assert.closeTo(first.filter((ok) => !ok).length, 300, 45)
    }))

  it.effect("delays, and lets hang until the timeout, and no longer than a bound without one", () =>
    Effect.gen(function*() {
      const took = Effect.fnUntraced(function*(policy: Policy.Policy<unknown>) {
        const fiber = yield* Effect.forkChild(Effect.timed(Effect.exit(Policy.apply(Effect.void, policy, read))))
        yield* TestClock.adjust("10 minutes")
        const [duration, exit] = yield* Fiber.join(fiber)
        return [Duration.toMillis(duration), exit._tag]
      })
      const latency = Chaos.make({ seed: 1, latency: { share: 1, by: "2 seconds" } })
      assert.deepStrictEqual(yield* took(latency), [2000, "Success"])
      const hang = { seed: 1, hang: { share: 1 } }
      assert.deepStrictEqual(yield* took(Policy.make({ timeout: "1 second", chaos: hang })), [1000, "Failure"])
      assert.deepStrictEqual(yield* took(Chaos.make(hang)), [60_000, "Failure"])
      assert.deepStrictEqual(yield* took(Chaos.make({ seed: 1, latency: { share: 1, by: 5 }, hang: { share: 0 } })), [
        5,
        "Success"
      ])
    }))

  it.effect("is taken for the backend: a breaker opens, and what may not be repeated is not", () =>
    Effect.gen(function*() {
      const chaos = { seed: 1, error: { share: 1 } }
      const policy = Policy.make({ retry: { times: 3 }, breaker: { window: 2, minimumCalls: 2 }, chaos })
      const { reason } = yield* Effect.flip(Policy.apply(Effect.die("begun"), policy, write))
      assert.strictEqual(reason._tag, "FaultInjected")
      assert.deepInclude(Policy.snapshot(policy), { attempts: 1, retriesSkipped: 1, faultsInjected: 1 })
      yield* Effect.exit(Policy.apply(Effect.void, policy, write))
      assert.strictEqual(Policy.snapshot(policy).circuit!.state, "open")
    }))

  it.effect("does nothing without a share, and leaves the rest of the calls alone", () =>
    Effect.gen(function*() {
      const off = Policy.make({ chaos: { seed: 1, hang: { share: 0 } } })
      assert.isTrue((yield* outcomes(off, 100)).every(Boolean))
      assert.strictEqual(Policy.snapshot(off).faultsInjected, 0)
      const rare = Chaos.make({ seed: 1, error: { share: 0.001 } })
      assert.instanceOf(yield* Effect.flip(Policy.apply(Effect.fail(new Down()), rare, read)), Down)
    }))

  it("refuses options out of range", () => {
    assert.throws(() => Chaos.make({ seed: 0.5 }), RangeError, /seed.*0\.5/)
    assert.throws(() => Chaos.make({ seed: 1, error: { share: 1.1 } }), RangeError, /error\.share/)
    assert.throws(() => Chaos.make({ seed: 1, error: { share: 0.6 }, hang: { share: 0.6 } }), RangeError, /share.*1\.2/)
    assert.throws(() => Chaos.make({ seed: 1, latency: { share: 1, by: 0 } }), RangeError, /latency\.by/)
  })
})
