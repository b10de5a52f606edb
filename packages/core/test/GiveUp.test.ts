/** A time limit of a policy inside a lease, of a pool that can cancel. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as Timeout from "../src/policy/Timeout.ts"
import * as Pool from "../src/pool/Pool.ts"
import { type Connection, FakeServer } from "./pool/fakeServer.ts"

const write = Operation.make("write", { idempotent: false })
const policy = Timeout.make("200 millis")

const cancelling = Effect.gen(function*() {
  const server = new FakeServer()
  const cancelled: Array<number> = []
  const pool = yield* Pool.make({
    name: "p",
    acquire: server.acquire,
    size: { max: 1 },
    cancel: (c) => Effect.andThen(Effect.sync(() => cancelled.push(c.id)), Effect.sleep("1 second"))
  })
  /** Its interruption waits for the server for as long as its connection is open. */
  const deaf = (connection: Connection) =>
    Effect.onInterrupt(Effect.never, () =>
      Effect.gen(function*() {
        while (server.connections.has(connection.id)) yield* Effect.sleep("10 millis")
      }))
  return { server, pool, cancelled, deaf }
})

describe("a timeout inside a lease", () => {
  it.effect("cancels at the server, and ends although the driver's interruption waits", () =>
    Effect.gen(function*() {
      const { cancelled, deaf, pool, server } = yield* cancelling
      const fiber = yield* Effect.forkChild(
        Effect.flip(Policy.run(policy, write, (attempt) => Pool.use(pool, (c) => attempt(deaf(c))))),
        { startImmediately: true }
      )
      yield* TestClock.adjust("199 millis")
      assert.deepStrictEqual(cancelled, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(cancelled, [1])
      yield* TestClock.adjust("100 millis")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason._tag, "AttemptTimeout")
      assert.strictEqual(server.open, 0)
      assert.strictEqual(yield* Pool.use(pool, (c) => Effect.succeed(c.id)), 2)
    }))

  it.effect("leaves the connection alone when the work ends in time", () =>
    Effect.gen(function*() {
      const { cancelled, pool, server } = yield* cancelling
      const work = Effect.delay(Effect.succeed("done"), "199 millis")
      const fiber = yield* Effect.forkChild(
        Policy.run(policy, write, (attempt) => Pool.use(pool, () => attempt(work))),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      assert.deepStrictEqual([cancelled.length, server.open], [0, 1])
    }))

  it.effect("of a call to somebody else does not touch the connection that is held meanwhile", () =>
    Effect.gen(function*() {
      const { cancelled, pool, server } = yield* cancelling
      const elsewhere = Effect.exit(Policy.run(policy, write, (attempt) => attempt(Effect.never)))
      const fiber = yield* Effect.forkChild(
        Pool.use(pool, (c) => Effect.as(elsewhere, c.id)),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.deepStrictEqual([cancelled.length, server.open], [0, 1])
    }))
})
