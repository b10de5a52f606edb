import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import * as Bulkhead from "../src/policy/Bulkhead.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"
import type * as PolicyError from "../src/policy/PolicyError.ts"
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
      assert.deepStrictEqual(error.reason, {
        _tag: "BulkheadFull",
        operation: "work",
        key: undefined,
        permits: 2,
        waiting: 0
      })
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

  it.effect("serves the newest first once its queue has been standing for 100 ms, and in order again after it was empty", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ bulkhead: { permits: 1, queue: 10, maxWait: "1 minute", order: "adaptive-lifo" } })
      const order: Array<string> = []
      const start = (name: string, millis: number) =>
        Effect.forkChild(run(policy, Effect.andThen(Effect.sync(() => order.push(name)), Effect.sleep(millis))), {
          startImmediately: true
        })
      yield* start("holder", 150)
      yield* start("first", 10)
      yield* TestClock.adjust(50)
      yield* start("second", 10)
      yield* TestClock.adjust(50)
      yield* start("third", 10)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(order, ["holder", "third", "second", "first"])
      order.length = 0
      yield* start("holder", 150)
      yield* start("first", 10)
      yield* TestClock.adjust(99)
      yield* start("second", 10)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(order, ["holder", "first", "second"])
    }))

  it.effect("comes first with the higher priority, and with the keys in turn, also when the newest is served first", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ bulkhead: { permits: 1, queue: 10, maxWait: "1 minute", order: "adaptive-lifo" } })
      const order: Array<string> = []
      const start = (name: string, key: string, priority = 0) =>
        Effect.forkChild(
          run(policy, Effect.andThen(Effect.sync(() => order.push(name)), Effect.sleep(200)), operation(key, priority)),
          { startImmediately: true }
        )
      yield* start("holder", "a")
      yield* start("a1", "a")
      yield* start("b1", "b")
      yield* start("urgent", "c", 1)
      yield* TestClock.adjust(100)
      yield* start("a2", "a")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(order, ["holder", "urgent", "a2", "b1", "a1"])
    }))

  it.effect("serves those who wait when it grows, and cuts nobody when it shrinks", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ bulkhead: { permits: 1, queue: 10, maxWait: "1 minute" } })
      const fibers = yield* Effect.forEach([1, 2, 3, 4], () =>
        Effect.forkChild(run(policy, Effect.sleep("1 second")), { startImmediately: true }))
      assert.deepStrictEqual(stateOf(policy), { running: 1, waiting: 3, permits: 1 })
      Policy.update(policy, { bulkhead: { permits: 3 } })
      assert.deepStrictEqual(stateOf(policy), { running: 3, waiting: 1, permits: 3 })
      Policy.update(policy, { bulkhead: { permits: 1 } })
      assert.deepStrictEqual(stateOf(policy), { running: 3, waiting: 1, permits: 1 })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(stateOf(policy), { running: 1, waiting: 0, permits: 1 })
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(stateOf(policy), { running: 0, waiting: 0, permits: 1 })
    }))

  it("refuses options out of range, and a size out of range, at once", () => {
    const bulkhead = { permits: 1 }
    assert.throws(() => Policy.make({ bulkhead: { permits: 0 } }), RangeError, /"bulkhead.permits" is 0/)
    assert.throws(() => Policy.make({ bulkhead: { permits: 1, queue: -1 } }), RangeError, /"bulkhead.queue" is -1/)
    assert.throws(() => Policy.make({ bulkhead: { permits: 1, maxWait: 0 } }), RangeError, /"bulkhead.maxWait"/)
    assert.throws(() => Bulkhead.make({ permits: 1, order: "lifo" as "fifo" }), RangeError, /"order" is "lifo"/)
    assert.throws(() => Policy.make({ bulkhead: { permits: 1, perKey: { max: 0 } } }), RangeError, /perKey\.max" is 0/)
    assert.throws(
      () => Policy.update(Policy.make({ bulkhead }), { bulkhead: { permits: 1.5 } }),
      RangeError,
      /"bulkhead.permits" is 1.5/
    )
  })

  it.effect("passes its permit through thousands of waiting calls without a deep stack", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ bulkhead: { permits: 1, queue: 5000, maxWait: "1 minute" } })
      const holder = yield* Effect.forkChild(run(policy, Effect.sleep("1 second")), { startImmediately: true })
      let served = 0
      const waiting = yield* Effect.forEach(Array.from({ length: 5000 }), () =>
        Effect.forkChild(run(policy, Effect.sync(() => served++)), { startImmediately: true }))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(holder)
      yield* Effect.forEach(waiting, Fiber.join)
      assert.strictEqual(served, 5000)
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

  it.effect("gives a permit to who waits before who has just had one and asks again", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ bulkhead: { permits: 1, queue: 2 } })
      const order: Array<string> = []
      const call = (name: string) => run(policy, Effect.sync(() => void order.push(name)))
      const begin = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })
      yield* begin(run(policy, Effect.sleep("10 millis")))
      const fibers = [
        yield* begin(Effect.andThen(call("a"), call("a again"))),
        yield* begin(call("b"))
      ]
      yield* TestClock.adjust("10 millis")
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(order, ["a", "b", "a again"])
      assert.deepStrictEqual(stateOf(policy), { running: 0, waiting: 0, permits: 1 })
    }))
})

describe("the bulkhead of a key", () => {
  const start = (policy: Policy.Policy<unknown>, work: Effect.Effect<unknown>, key?: string) =>
    Effect.forkChild(Effect.exit(run(policy, work, operation(key))), { startImmediately: true })
  const refused = (policy: Policy.Policy<PolicyError.PolicyError>, key?: string) =>
    Effect.map(Effect.flip(run(policy, Effect.void, operation(key))), ({ reason }) => reason)

  it.effect("has permits and a queue of its own", () =>
    Effect.gen(function*() {
      const policy = Bulkhead.make({ permits: 1, queue: 1, maxWait: "1 minute", perKey: {} })
      for (const key of ["a", "a", "b", undefined]) yield* start(policy, Effect.sleep("1 second"), key)
      assert.deepStrictEqual(stateOf(policy), { running: 3, waiting: 1, permits: 1, keys: 2 })
      assert.deepInclude(yield* refused(policy, "a"), { key: "a", permits: 1, waiting: 1 })
      yield* start(policy, Effect.void, "b")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(stateOf(policy), { running: 1, waiting: 0, permits: 1, keys: 1 })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(stateOf(policy), { running: 0, waiting: 0, permits: 1, keys: 0 })
    }))

  it.effect("is one for all those that there is no room for, until a key has no call any more", () =>
    Effect.gen(function*() {
      const policy = Bulkhead.make({ permits: 1, perKey: { max: 2 } })
      yield* start(policy, Effect.sleep("2 seconds"), "a")
      yield* start(policy, Effect.sleep("1 second"), "b")
      yield* start(policy, Effect.sleep("1 minute"), "c")
      for (const key of ["d", undefined]) assert.deepInclude(yield* refused(policy, key), { key: undefined })
      yield* TestClock.adjust("1 second")
      yield* run(policy, Effect.void, operation("d"))
      assert.deepInclude(yield* refused(policy, "a"), { key: "a" })
    }))

  it.effect("changes with all others", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ bulkhead: { permits: 1, queue: 9, maxWait: "1 minute", perKey: {} } })
      for (const key of ["a", "a", "b", "b", "b"]) yield* start(policy, Effect.sleep("1 second"), key)
      assert.deepStrictEqual(stateOf(policy), { running: 2, waiting: 3, permits: 1, keys: 2 })
      Policy.update(policy, { bulkhead: { permits: 2 } })
      assert.deepStrictEqual(stateOf(policy), { running: 4, waiting: 1, permits: 2, keys: 2 })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(stateOf(policy), { running: 0, waiting: 0, permits: 2, keys: 0 })
    }))

  it.effect("bounds its calls and is forgotten through random interruptions", () =>
    Effect.gen(function*() {
      const choices = seeded(seed)
      const keys = ["a", "b", "c"]
      const running = new Map(keys.map((key) => [key, 0]))
      const count = (key: string, by: number) => Effect.sync(() => running.set(key, running.get(key)! + by))
      const policy = Bulkhead.make({ permits: 2, queue: 2, maxWait: "20 millis", perKey: {} })
      for (let round = 0; round < 300; round++) {
        const fibers = yield* Effect.forEach(Array.from({ length: 15 }), () => {
          const key = keys[choices.below(keys.length)]!
          const work = Effect.acquireUseRelease(count(key, 1), () =>
            Effect.sleep(choices.below(30)), () =>
            count(key, -1))
          return Effect.forkChild(Effect.exit(run(policy, work, operation(key))), {
            startImmediately: choices.next() < 0.5
          })
        })
        yield* TestClock.adjust(choices.below(20))
        for (const [key, calls] of running) {
          assert.isAtMost(calls, 2, `${key}, seed ${seed}, round ${round}`)
        }
        for (const fiber of fibers) {
          if (choices.next() < 0.3) {
            fiber.interruptUnsafe()
          }
        }
        yield* TestClock.adjust("100 millis")
        yield* Effect.forEach(fibers, Fiber.await)
        const empty = { running: 0, waiting: 0, permits: 2, keys: 0 }
        assert.deepStrictEqual(stateOf(policy), empty, `seed ${seed}, round ${round}`)
      }
    }), 30_000)

  it.live("stays whole while a call of it yields anywhere between its entry and its end", () =>
    Effect.gen(function*() {
      for (let at = 0; at < 30; at++) {
        const policy = Bulkhead.make({ permits: 1, queue: 2, perKey: {} })
        let running = 0
        let most = 0
        const work = Effect.gen(function*() {
          most = Math.max(most, ++running)
          yield* Effect.yieldNow
          running--
        })
        const call = run(policy, work, operation("a"))
        const holder = Effect.runFork(call)
        const yielding = Effect.runFork(Effect.provideService(call, Scheduler.Scheduler, yieldAt(at)))
        yield* Fiber.join(holder)
        const third = Effect.runFork(call)
        yield* Fiber.join(yielding)
        yield* Fiber.join(third)
        assert.strictEqual(most, 1, `operation ${at}`)
        assert.deepStrictEqual(stateOf(policy), { running: 0, waiting: 0, permits: 1, keys: 0 }, `operation ${at}`)
      }
    }))
})
