import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import { type Connection, Dead, FakeServer, poolOf } from "./fakeServer.ts"

const now = { startImmediately: true } as const

const resetting = (onReturn: (connection: Connection) => Effect.Effect<unknown, unknown>, max = 1) =>
  Effect.gen(function*() {
    const server = new FakeServer()
    const pool = yield* poolOf(server, { size: { max }, check: { isAlive: (c) => !c.dead }, onReturn })
    const borrow = Pool.use(pool, (c) => Effect.succeed(c.id))
    const standing = Effect.map(
      Pool.stats(pool),
      ({ checking, closing, idle, used }) => [used, checking, idle, closing]
    )
    return { server, pool, borrow, standing }
  })

describe("onReturn", () => {
  it.effect("runs after every borrow and before the next one, counted as checking", () =>
    Effect.gen(function*() {
      let dirty = false
      const { borrow, pool, server, standing } = yield* resetting(() =>
        Effect.andThen(Effect.sleep("20 millis"), Effect.sync(() => (dirty = false)))
      )
      yield* Pool.use(pool, () => Effect.sync(() => (dirty = true)))
      assert.deepStrictEqual(yield* standing, [0, 1, 0, 0])
      const next = yield* Effect.forkChild(Pool.use(pool, () => Effect.sync(() => dirty)), now)
      yield* TestClock.adjust("19 millis")
      assert.isUndefined(next.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.isFalse(yield* Fiber.join(next))
      yield* TestClock.adjust("20 millis")
      assert.deepStrictEqual(yield* standing, [0, 0, 1, 0])
      yield* borrow
      assert.strictEqual(server.opened, 1)
    }))

  it.effect("runs whatever became of the work, and not where the connection is to be closed anyway", () =>
    Effect.gen(function*() {
      let runs = 0
      const { pool } = yield* resetting(() => Effect.sync(() => runs++))
      yield* Effect.exit(Pool.use(pool, () => Effect.die("broken")))
      const interrupted = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), now)
      yield* Fiber.interrupt(interrupted)
      assert.strictEqual(runs, 2)
      yield* Pool.use(pool, (c) => Pool.invalidate(pool, c))
      assert.strictEqual(runs, 2)
    }))

  const failures: Record<string, () => Effect.Effect<unknown, unknown>> = {
    fails: () => Effect.fail(new Dead()),
    dies: () => Effect.die("no"),
    throws: () => {
      throw new Error("no")
    },
    "has not ended within check.timeout": () => Effect.never,
    "is interrupted": () => Effect.interrupt
  }
  for (const [how, onReturn] of Object.entries(failures)) {
    it.effect(`closes the connection when it ${how}, and whoever waits gets another one`, () =>
      Effect.gen(function*() {
        const { borrow, pool, server } = yield* resetting(onReturn)
        const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 second")), now)
        const waiting = yield* Effect.forkChild(borrow, now)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(held)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(waiting), 2)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([server.open, server.opened], [0, 2])
      }))
  }

  it.effect("does not keep a connection that died meanwhile, nor one that was cleared", () =>
    Effect.gen(function*() {
      const { borrow, pool, server, standing } = yield* resetting(() => Effect.sleep("20 millis"), 2)
      yield* Effect.scoped(Effect.all([Pool.get(pool), Pool.get(pool)]))
      assert.deepStrictEqual(yield* standing, [0, 2, 0, 0])
      server.connections.get(1)!.dead = true
      yield* TestClock.adjust("20 millis")
      assert.deepStrictEqual([...server.connections.keys()], [2])
      yield* borrow
      yield* Pool.clear(pool)
      assert.deepStrictEqual([server.open, ...(yield* standing)], [0, 0, 0, 0, 0])
    }))

  it.effect("leaves nothing open when the pool is drained while it runs", () =>
    Effect.gen(function*() {
      const { borrow, pool, server } = yield* resetting(() => Effect.never)
      yield* borrow
      const { cut, leftOpen } = yield* Pool.drain(pool, "1 second")
      assert.deepStrictEqual([cut.length, leftOpen, server.sockets], [0, 0, 0])
    }))
})

describe("cancel", () => {
  /** A driver whose interruption waits for a server that does not answer. */
  const deaf = (connection: Connection, server: FakeServer) =>
    Effect.onInterrupt(Effect.never, () =>
      Effect.gen(function*() {
        for (let i = 0; i < 500 && server.connections.has(connection.id); i++) yield* Effect.sleep("10 millis")
      }))

  const cancelling = (max: number, cancelTime: number) =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const cancels = { running: 0, peak: 0, begun: 0 }
      const cancel = () =>
        Effect.suspend(() => {
          cancels.begun++
          cancels.peak = Math.max(cancels.peak, ++cancels.running)
          return Effect.ensuring(Effect.sleep(cancelTime), Effect.sync(() => cancels.running--))
        })
      const pool = yield* poolOf(server, { size: { max }, cancel })
      const standing = Effect.map(Pool.stats(pool), ({ closing, idle, used }) => [used, idle, closing])
      return { server, pool, cancels, standing }
    })

  it.effect("tells who was interrupted at once, cancels in the background, and closes after 100 ms", () =>
    Effect.gen(function*() {
      const { cancels, pool, server, standing } = yield* cancelling(1, 5000)
      const work = yield* Effect.forkChild(
        Effect.exit(Effect.timeout(Pool.use(pool, (c) => deaf(c, server)), "200 millis")),
        now
      )
      yield* TestClock.adjust("200 millis")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(work)))
      assert.deepStrictEqual([cancels.begun, ...(yield* standing)], [1, 0, 0, 1])
      const next = yield* Effect.forkChild(Pool.use(pool, (c) => Effect.succeed(c.id)), now)
      yield* TestClock.adjust("99 millis")
      assert.strictEqual(server.open, 1) // its slot is not free before
      assert.isUndefined(next.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(next), 2)
      assert.deepStrictEqual([cancels.running, server.peakSockets], [0, 1])
    }))

  it.effect("closes as soon as the cancel and the work have both ended", () =>
    Effect.gen(function*() {
      const { pool, server } = yield* cancelling(1, 20)
      let ended = false
      const work = yield* Effect.forkChild(
        Pool.use(pool, () => Effect.andThen(Effect.sleep("50 millis"), Effect.sync(() => (ended = true)))),
        now
      )
      yield* Fiber.interrupt(work)
      yield* TestClock.adjust("49 millis")
      assert.deepStrictEqual([server.open, ended], [1, false])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([server.open, ended], [0, true])
    }))

  it.effect("gives the caller its own context back", () =>
    Effect.gen(function*() {
      const { pool } = yield* cancelling(1, 0)
      const borrow = Effect.exit(Effect.interruptible(Pool.use(pool, () => Effect.never)))
      let restored = false
      const caller = Effect.gen(function*() {
        const before = yield* Effect.context<never>()
        yield* borrow
        restored = before === (yield* Effect.context<never>())
      })
      const fiber = yield* Effect.forkChild(Effect.uninterruptible(caller), now)
      fiber.interruptUnsafe()
      yield* TestClock.adjust("100 millis")
      yield* Fiber.await(fiber)
      assert.isTrue(restored)
    }))

  it.effect("ends the work that outlives its connection", () =>
    Effect.gen(function*() {
      const { pool } = yield* cancelling(1, 0)
      let ended = false
      const work = yield* Effect.forkChild(
        Pool.use(pool, () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => (ended = true)))),
        now
      )
      yield* Fiber.interrupt(work)
      assert.isFalse(ended)
      yield* TestClock.adjust("100 millis")
      assert.isTrue(ended)
    }))

  it.effect("runs for as many at once as may dial, and closes the others at once", () =>
    Effect.gen(function*() {
      const { cancels, pool, server } = yield* cancelling(5, 1000)
      const works = yield* Effect.forEach(
        Array.from({ length: 5 }),
        () => Effect.forkChild(Pool.use(pool, () => Effect.never), now)
      )
      yield* Fiber.interruptAll(works)
      assert.deepStrictEqual([cancels.peak, cancels.begun, server.open], [2, 2, 2])
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(server.open, 0)
      const again = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), now)
      yield* Fiber.interrupt(again)
      assert.strictEqual(cancels.begun, 3)
      yield* TestClock.adjust("100 millis")
    }))

  it.effect("leaves alone what ends by itself, succeeds or fails, with the result of the work", () =>
    Effect.gen(function*() {
      const { cancels, pool, server } = yield* cancelling(1, 0)
      assert.strictEqual(yield* Pool.use(pool, () => Effect.succeed(7)), 7)
      assert.strictEqual(yield* Effect.flip(Pool.use(pool, () => Effect.fail("no"))), "no")
      yield* Effect.scoped(Pool.get(pool))
      assert.deepStrictEqual([cancels.begun, server.opened, server.open], [0, 1, 1])
    }))

  it.effect("runs also for a scope that ends by interruption", () =>
    Effect.gen(function*() {
      const { cancels, pool, server } = yield* cancelling(1, 0)
      const work = yield* Effect.forkChild(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.never)), now)
      yield* Fiber.interrupt(work)
      assert.deepStrictEqual([cancels.begun, server.open], [1, 0])
    }))

  it.effect("where there is none, the connection of an interrupted borrower is used again", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 } })
      for (const borrow of [Pool.use(pool, () => Effect.never), Effect.andThen(Pool.get(pool), Effect.never)]) {
        const work = yield* Effect.forkChild(Effect.scoped(borrow), now)
        yield* Fiber.interrupt(work)
      }
      assert.deepStrictEqual([...server.connections.keys()], [1])
    }))

  it.effect("ends the work of a lease that was cut before its borrower was interrupted", () =>
    Effect.gen(function*() {
      const { cancels, pool } = yield* cancelling(1, 0)
      let ended = false
      const work = yield* Effect.forkChild(
        Pool.use(pool, () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => (ended = true)))),
        now
      )
      yield* Pool.clear(pool, { interrupt: true })
      yield* Fiber.interrupt(work)
      assert.deepStrictEqual([cancels.begun, ended], [0, true])
    }))

  it.effect("may die or throw without harm", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      let calls = 0
      const pool = yield* poolOf(server, {
        size: { max: 1 },
        cancel: () => {
          if (++calls === 1) throw new Error("no")
          return Effect.die("no")
        }
      })
      for (let i = 1; i <= 3; i++) {
        const work = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), now)
        yield* Fiber.interrupt(work)
        assert.deepStrictEqual([calls, server.open], [i, 0])
      }
    }))
})
