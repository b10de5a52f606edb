import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import { type Connection, FakeServer, poolOf } from "./fakeServer.ts"

const warmPool = (size: number) =>
  Effect.gen(function*() {
    const server = new FakeServer()
    const pool = yield* poolOf(server, {
      size: { min: size, max: size },
      check: { test: server.ping, isAlive: (c) => !c.dead }
    })
    yield* Pool.warm(pool)
    return { server, pool }
  })

const deaths: Record<string, (connection: Connection, server: FakeServer) => void> = {
  "closed, and known to be": (connection) => {
    connection.dead = true
  },
  "silently dropped": (connection) => {
    connection.silent = true
  }
}

describe("stale idle connections are invisible (behaviour 12)", () => {
  for (const [name, kill] of Object.entries(deaths)) {
    it.effect(`the next 100 borrows succeed after every idle connection was ${name}`, () =>
      Effect.gen(function*() {
        const { pool, server } = yield* warmPool(10)
        yield* TestClock.adjust("1 minute")
        for (const connection of server.connections.values()) kill(connection, server)
        const fibers = yield* Effect.forEach(
          Array.from({ length: 100 }),
          () => Effect.forkChild(Pool.use(pool, (c) => Effect.as(Effect.sleep("1 millis"), c)))
        )
        // One check that times out, then all the suspects at once: the time of two checks, whatever their number.
        for (let i = 0; i < 300; i++) yield* TestClock.adjust("10 millis")
        const used = yield* Effect.forEach(fibers, Fiber.join)
        assert.isTrue(used.every((c) => !c.dead && !c.silent))
        assert.strictEqual((yield* Pool.stats(pool)).acquired, 100)
      }))
  }

  it.effect("closes a connection whose check fails, and lends a new one", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 }, check: { test: server.ping } })
      const connection = yield* Pool.use(pool, Effect.succeed)
      yield* TestClock.adjust("1 minute")
      connection.dead = true
      assert.strictEqual(yield* Pool.use(pool, (c) => Effect.succeed(c.id)), 2)
      assert.deepStrictEqual([...server.connections.keys()], [2])
    }))

  it.effect("takes one failed check as a reason to check all that were idle since before it, at once", () =>
    Effect.gen(function*() {
      const { pool, server } = yield* warmPool(10)
      yield* TestClock.adjust("1 second")
      for (const connection of server.connections.values()) connection.silent = true
      const all = [...server.connections.values()]
      const fiber = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(all.reduce((n, c) => n + c.pings, 0), 1)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(all.reduce((n, c) => n + c.pings, 0), 10)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
    }))

  it.effect("lends without a check what was used within the skip window, and checks once after it", () =>
    Effect.gen(function*() {
      const { pool, server } = yield* warmPool(1)
      for (let i = 0; i < 1000; i++) {
        yield* Pool.use(pool, () => Effect.void)
        yield* TestClock.adjust("1 millis")
      }
      const [connection] = server.connections.values()
      assert.strictEqual(connection!.pings, 0)
      yield* TestClock.adjust("501 millis")
      yield* Pool.use(pool, () => Effect.void)
      yield* Pool.use(pool, () => Effect.void)
      assert.strictEqual(connection!.pings, 1)
    }))

  it.effect("keeps a connection that passes its check after the borrow was given up", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 1 }, check: { test: () => Effect.sleep("100 millis") } })
      yield* Pool.use(pool, () => Effect.void)
      yield* TestClock.adjust("1 minute")
      const fiber = yield* Effect.forkChild(Pool.use(pool, () => Effect.void), { startImmediately: true })
      assert.strictEqual((yield* Pool.stats(pool)).checking, 1)
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("100 millis")
      assert.strictEqual((yield* Pool.stats(pool)).idle, 1)
      assert.strictEqual(server.opened, 1)
    }))

  it.effect("never lends a connection that knows of its death, nor one whose isAlive throws", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      let throwing = false
      const pool = yield* poolOf(server, {
        size: { max: 2 },
        check: {
          isAlive: (c) => {
            if (throwing && c.id === 1) throw new Error("gone")
            return !c.dead
          }
        }
      })
      yield* Pool.use(pool, () => Effect.void)
      throwing = true
      assert.strictEqual(yield* Pool.use(pool, (c) => Effect.succeed(c.id)), 2)
      for (const connection of server.connections.values()) connection.dead = true
      assert.strictEqual(yield* Pool.use(pool, (c) => Effect.succeed(c.id)), 3)
      assert.strictEqual(server.open, 1)
    }))
})
