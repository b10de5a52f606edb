import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"
import { seed, seeded } from "./pool/seeded.ts"
import { yieldAt } from "./support/interrupts.ts"

const operation = (key?: string, priority?: number) => Operation.make("work", { idempotent: false, key, priority })

const run = <A, E>(policy: Policy.Policy<E>, work: Effect.Effect<A>, op: Operation.Operation = operation()) =>
  Policy.run(policy, op, (attempt) => attempt(work))

const stateOf = (policy: Policy.Policy<unknown>) => Policy.snapshot(policy).bulkhead!

describe("the bulkhead", () => {
  it.effect("runs as many as it has permits and refuses the next at once", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ bulkhead: { permits: 2 } })
      const running = yield* Effect.forEach([1, 2], () =>
        Effect.forkChild(run(policy, Effect.sleep("1 second")), { startImmediately: true }))
      const error = yield* Effect.flip(run(policy, Effect.void))
      assert.deepStrictEqual(error.reason, { _tag: "BulkheadFull", operation: "work", permits: 2, waiting: 0 })
      assert.deepStrictEqual(error.outcome, { _tag: "Ignored", sent: "no" })
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(running, Fiber.join)
      yield* run(policy, Effect.void)
      assert.deepStrictEqual(stateOf(policy), { running: 0, waiting: 0, permits: 2 })
      assert.strictEqual(Policy.snapshot(policy).bulkheadRefused, 1)
    }))

  it.effect("lets calls wait in order, a bounded number for a bounded time", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ bulkhead: { permits: 1, queue: 2, maxWait: "500 millis" } })
      const order: Array<string> = []
      const start = (name: string, time: string, op?: Operation.Operation) =>
        Effect.forkChild(
          Effect.exit(
            run(policy, Effect.andThen(Effect.sync(() => order.push(name)), Effect.sleep(time as "1 second")), op)
          ),
          { startImmediately: true }
        )
      yield* start("first", "400 millis")
      yield* start("low", "10 seconds", operation(undefined, 0))
      const high = yield* start("high", "400 millis", operation(undefined, 1))
      assert.strictEqual((yield* Effect.flip(run(policy, Effect.void))).reason._tag, "BulkheadFull")
      yield* TestClock.adjust("400 millis")
      yield* TestClock.adjust("400 millis")
      yield* Fiber.join(high)
      assert.deepStrictEqual(order, ["first", "high"])
      assert.deepStrictEqual(stateOf(policy), { running: 0, waiting: 0, permits: 1 }) // low gave up at 500 ms
    }))

  it.effect("counts right through random interruptions, and strands nobody", () =>
    Effect.gen(function*() {
      const choices = seeded(seed)
      const policy = Policy.make({ bulkhead: { permits: 3, queue: 5, maxWait: "20 millis" } })
      for (let round = 0; round < 500; round++) {
        const fibers = yield* Effect.forEach(Array.from({ length: 12 }), () =>
          Effect.forkChild(Effect.exit(run(policy, Effect.sleep(choices.below(30)))), {
            startImmediately: choices.next() < 0.5
          }))
        yield* TestClock.adjust(choices.below(20))
        assert.isAtMost(stateOf(policy).running, 3)
        for (const fiber of fibers) {
          if (choices.next() < 0.3) {
            fiber.interruptUnsafe()
          }
        }
        yield* TestClock.adjust("100 millis")
        yield* Effect.forEach(fibers, Fiber.await)
        assert.deepStrictEqual(stateOf(policy), { running: 0, waiting: 0, permits: 3 }, `seed ${seed}, round ${round}`)
      }
    }), 30_000)

  it.live("leaks no permit when the interrupt lands at any operation", () =>
    Effect.gen(function*() {
      for (let at = 0; at < 30; at++) {
        const policy = Policy.make({ bulkhead: { permits: 1, queue: 1 } })
        const holder = Effect.runFork(run(policy, Effect.never))
        const fiber = Effect.runFork(
          Effect.provideService(Effect.exit(run(policy, Effect.void)), Scheduler.Scheduler, yieldAt(at))
        )
        holder.interruptUnsafe()
        fiber.interruptUnsafe()
        yield* Fiber.await(holder)
        yield* Fiber.await(fiber)
        assert.deepStrictEqual(stateOf(policy), { running: 0, waiting: 0, permits: 1 }, `operation ${at}`)
      }
    }))
})
