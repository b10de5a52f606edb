import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scheduler } from "effect"
import * as Pool from "../../src/pool/Pool.ts"
import { yieldAt } from "../support/interrupts.ts"
import { FakeServer, poolOf } from "./fakeServer.ts"
import { seed, seeded } from "./seeded.ts"

describe("the bounded queue (behaviour 4)", () => {
  it.effect("refuses in the same turn what comes when maxWaiting wait", () =>
    Effect.gen(function*() {
      const pool = yield* poolOf(new FakeServer(), { size: { max: 1 }, wait: { maxWaiting: 3 } })
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
      const waiting = yield* Effect.forEach([1, 2, 3], () =>
        Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.void)), { startImmediately: true }))
      const refused = yield* Effect.forkChild(
        Effect.flip(Pool.use(pool, () =>
          Effect.void)),
        {
          startImmediately: true
        }
      )
      const exit = refused.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isSuccess(exit))
      if (exit === undefined || Exit.isFailure(exit)) return
      assert.deepStrictEqual(exit.value.reason, { _tag: "QueueFull", pool: "p", maxWaiting: 3 })
      assert.strictEqual((yield* Pool.stats(pool)).waiting, 3)
      yield* Fiber.interrupt(held)
      yield* Effect.forEach(waiting, Fiber.join)
    }))

  it.effect("makes one error for all whom it refuses", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "black hole"
      const pool = yield* poolOf(server, { size: { max: 1 }, wait: { maxWaiting: 1 } })
      const waits = yield* Effect.forkChild(Pool.use(pool, () => Effect.void), { startImmediately: true })
      const refused = Effect.flip(Pool.use(pool, () => Effect.void))
      const first = yield* refused
      assert.strictEqual(first.reason._tag, "QueueFull")
      assert.strictEqual(yield* refused, first)
      yield* Fiber.interrupt(waits)
    }))

  it.effect("holds no more for 100,000 callers than for maxWaiting", () =>
    Effect.gen(function*() {
      const pool = yield* poolOf(new FakeServer(), { size: { max: 1 } })
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
      let refused = 0
      for (let i = 0; i < 100_000; i++) {
        yield* Pool.use(pool, () => Effect.void).pipe(
          Effect.catchReason("PoolError", "QueueFull", () => Effect.sync(() => refused++)),
          Effect.exit,
          Effect.forkChild({ startImmediately: true })
        )
      }
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.waiting, refused, stats.refused], [1000, 99_000, 99_000])
      yield* Fiber.interrupt(held)
    }))
})

describe("whose turn it is (behaviour 5)", () => {
  it.effect("serves 1,000 waiters in the order in which they came", () =>
    Effect.gen(function*() {
      const pool = yield* poolOf(new FakeServer(), { size: { max: 2 } })
      const served: Array<number> = []
      const fibers = yield* Effect.forEach(
        Array.from({ length: 1000 }, (_, i) => i),
        (i) =>
          Effect.forkChild(Pool.use(pool, () => Effect.andThen(Effect.sync(() => served.push(i)), Effect.yieldNow)))
      )
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(served, Array.from({ length: 1000 }, (_, i) => i))
    }))

  it.effect("gives nobody the connection of a waiter that was woken and has yet to run", () =>
    Effect.gen(function*() {
      const pool = yield* poolOf(new FakeServer(), { size: { max: 1 } })
      const served: Array<string> = []
      const borrow = (name: string) => Pool.use(pool, () => Effect.sync(() => served.push(name)))
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
      // The holder's own next borrow comes in the very turn in which its first one is returned.
      const holder = yield* Effect.forkChild(
        Effect.andThen(Fiber.await(held), borrow("late")),
        { startImmediately: true }
      )
      const waiter = yield* Effect.forkChild(borrow("first"), { startImmediately: true })
      yield* Fiber.interrupt(held)
      yield* Fiber.join(waiter)
      yield* Fiber.join(holder)
      assert.deepStrictEqual(served, ["first", "late"])
    }))

  it.effect("serves the highest priority first, and within it one key after the other", () =>
    Effect.gen(function*() {
      const pool = yield* poolOf(new FakeServer(), { size: { max: 1 } })
      const served: Array<string> = []
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
      const enqueue = (name: string, options: Pool.UseOptions) =>
        Effect.forkChild(Pool.use(pool, () => Effect.sync(() => served.push(name)), options), {
          startImmediately: true
        })
      const fibers = [
        yield* enqueue("low", { priority: -1 }),
        yield* enqueue("a1", { key: "a" }),
        yield* enqueue("a2", { key: "a" }),
        yield* enqueue("a3", { key: "a" }),
        yield* enqueue("b1", { key: "b" }),
        yield* enqueue("none1", {}),
        yield* enqueue("high", { priority: 5, key: "a" }),
        yield* enqueue("b2", { key: "b" })
      ]
      yield* Fiber.interrupt(held)
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(served, ["high", "a1", "b1", "none1", "a2", "b2", "a3", "low"])
    }))
})

describe("no lost wake-up (behaviour 6)", () => {
  it.effect(
    "strands nobody when waiters are interrupted during hand-offs, in 10,000 seeded rounds",
    () =>
      Effect.gen(function*() {
        const random = seeded(seed)
        const server = new FakeServer()
        const pool = yield* poolOf(server, { size: { max: 2 } })
        for (let round = 0; round < 10_000; round++) {
          const fibers = yield* Effect.forEach(
            Array.from({ length: 2 + random.below(6) }),
            () => Effect.forkChild(Pool.use(pool, () => Effect.yieldNow), { startImmediately: random.next() < 0.5 })
          )
          if (random.next() < 0.5) yield* Effect.yieldNow
          for (const fiber of fibers) if (random.next() < 0.5) fiber.interruptUnsafe()
          yield* Effect.forEach(fibers, Fiber.await)
          const stats = yield* Pool.stats(pool)
          assert.deepStrictEqual(
            [stats.waiting, stats.used, stats.idle],
            [0, 0, server.open],
            `seed ${seed}, round ${round}`
          )
        }
      }),
    60_000
  )

  it.live("leaves nothing held when the interrupt lands at any operation of a borrow, served at once or after a wait", () =>
    Effect.gen(function*() {
      for (const contended of [false, true]) {
        for (const borrow of ["use", "get"]) {
          for (let at = 0; at < 40; at++) {
            const pool = yield* poolOf(new FakeServer(), { size: { max: 1 } })
            yield* Pool.use(pool, () => Effect.void)
            const holder = contended
              ? yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
              : undefined
            const work = Effect.andThen(Effect.succeed(0), Effect.succeed(1))
            const fiber = Effect.runFork(
              (borrow === "use" ? Pool.use(pool, () => work) : Effect.scoped(Effect.andThen(Pool.get(pool), work)))
                .pipe(
                  Effect.provideService(Scheduler.Scheduler, yieldAt(at))
                )
            )
            if (holder !== undefined) {
              holder.interruptUnsafe() // hands the connection over
            }
            fiber.interruptUnsafe()
            yield* Fiber.await(fiber)
            if (holder !== undefined) yield* Fiber.await(holder)
            const { acquired, cancelled, idle, used, waiting } = yield* Pool.stats(pool)
            assert.deepStrictEqual({ used, waiting, idle }, { used: 0, waiting: 0, idle: 1 }, `${borrow} at ${at}`)
            assert.isAtMost(acquired + cancelled, contended ? 3 : 2)
          }
        }
      }
    }))
})
