import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import type { CloseReason } from "../../src/pool/PoolEvent.ts"
import { type Connection, FakeServer } from "./fakeServer.ts"

class ReadOnly extends Data.TaggedError("ReadOnly") {}

const now = { startImmediately: true } as const

/** Two servers behind one name, of which one at most takes writes. */
const cluster = (max: number) =>
  Effect.gen(function*() {
    const server = new FakeServer()
    server.dialTime = "20 millis"
    const state: { name: "a" | "b"; writer: "a" | "b" | undefined } = { name: "a", writer: "a" }
    const hosts = new Map<number, "a" | "b">()
    const refusals = new Map<number, number>()
    const acquire = Effect.tap(server.acquire, (c) => Effect.sync(() => hosts.set(c.id, state.name)))
    const pool = yield* Pool.make({ name: "p", acquire, size: { max }, check: { test: server.ping } })
    const closed: Array<CloseReason> = []
    yield* Effect.forkScoped(
      Stream.runForEach(Pool.events(pool), (event) =>
        Effect.sync(() => event._tag === "Closed" && closed.push(event.reason))),
      now
    )
    yield* Effect.yieldNow
    /** What a backend does: it knows the error for what it is, and says so. */
    const write = (time: number) => (connection: Connection) =>
      Effect.andThen(
        Effect.sleep(time),
        Effect.suspend(() => {
          if (hosts.get(connection.id) === state.writer) {
            return Effect.succeed(connection.id)
          }
          refusals.set(connection.id, (refusals.get(connection.id) ?? 0) + 1)
          return Effect.andThen(Pool.invalidate(pool, connection, "WrongRole"), Effect.fail(new ReadOnly()))
        })
      )
    return { server, state, pool, write, refusals, closed }
  })

describe("role change (behaviour 19)", () => {
  it.effect("costs one error a connection at most, and is over within a second of the new writer", () =>
    Effect.gen(function*() {
      const { pool, refusals, server, state, write } = yield* cluster(10)
      const outcomes: Array<{ readonly at: number; readonly ok: boolean }> = []
      let at = 0
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      yield* Effect.addFinalizer(() => Fiber.interruptAll(fibers))
      const load = (millis: number) =>
        Effect.forEach(Array.from({ length: millis / 5 }), () =>
          Effect.gen(function*() {
            const begun = at
            fibers.push(
              yield* Effect.forkChild(
                Effect.matchCause(Pool.use(pool, write(20)), {
                  onSuccess: () => outcomes.push({ at: begun, ok: true }),
                  onFailure: () => outcomes.push({ at: begun, ok: false })
                })
              )
            )
            yield* TestClock.adjust("5 millis")
            at += 5
          }), { discard: true })
      yield* load(500)
      assert.isTrue(outcomes.every(({ ok }) => ok))
      const before = new Set(server.connections.keys())
      state.writer = undefined
      yield* load(3000)
      assert.isFalse([...server.connections.keys()].some((id) => before.has(id)))
      const dialled = server.dials
      assert.isAtMost(dialled - before.size, 66) // three in every 140 ms: it neither gives up nor storms
      state.name = state.writer = "b"
      yield* load(2000)
      yield* TestClock.adjust("10 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.isAtMost(Math.max(...refusals.values()), 1)
      assert.isTrue(outcomes.every((one) => one.ok || one.at < 4500))
      assert.isAtMost(server.peakSockets, 10)
    }))

  it.effect("closes all connections of that time: idle ones at once, borrowed ones when they come back", () =>
    Effect.gen(function*() {
      const { closed, pool, server, state, write } = yield* cluster(5)
      server.dialTime = 0
      const held = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("10 seconds")), now)
      yield* Effect.scoped(Effect.all([Pool.get(pool), Pool.get(pool), Pool.get(pool)]))
      state.name = state.writer = "b"
      const refused = yield* Effect.forkChild(Effect.flip(Pool.use(pool, write(0))), now)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(refused))._tag, "ReadOnly")
      assert.deepStrictEqual([...server.connections.keys()], [1])
      const next = yield* Effect.forkChild(Pool.use(pool, write(0)), now)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(next), 5)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(held)
      assert.deepStrictEqual([...server.connections.keys()], [5])
      assert.deepStrictEqual(closed, Array.from({ length: 4 }, () => "WrongRole"))
    }))

  it.effect("is one change however many connections tell of it: what was dialled since stays", () =>
    Effect.gen(function*() {
      const { pool, server, state, write } = yield* cluster(3)
      server.dialTime = 0
      const late = yield* Effect.forkChild(Effect.flip(Pool.use(pool, write(2000))), now)
      state.name = state.writer = "b"
      const first = yield* Effect.forkChild(
        Effect.flip(Pool.use(pool, (c) => {
          return Effect.andThen(Pool.invalidate(pool, c, "WrongRole"), Effect.fail("wrong"))
        })),
        now
      )
      yield* Fiber.join(first)
      yield* TestClock.adjust("1 second")
      const next = yield* Effect.forkChild(Pool.use(pool, write(0)), now)
      yield* TestClock.adjust("1 second")
      const id = yield* Fiber.join(next)
      yield* Fiber.join(late)
      assert.deepStrictEqual([...server.connections.keys()], [id])
    }))
})
