import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import type { PoolEvent } from "../../src/pool/PoolEvent.ts"
import { FakeServer, poolOf } from "./fakeServer.ts"
import { seed, seeded } from "./seeded.ts"

const MAX = 6

/** Everything that can happen to a pool, `steps` times at random, with a look at the numbers after each. */
const storm = (
  steps: number,
  choices: ReturnType<typeof seeded>,
  look: (server: FakeServer, stats: Pool.Stats, begun: number) => void
) =>
  Effect.gen(function*() {
    const server = new FakeServer()
    const pool = yield* poolOf(server, {
      size: { min: 1, max: MAX, keep: 4 },
      wait: { timeout: "300 millis", maxWaiting: 8, maxHold: "180 millis" },
      dial: { timeout: "200 millis", concurrency: 3 },
      lifetime: { max: "2 seconds", idle: "400 millis" },
      onReturn: (c) => c.silent ? Effect.never : Effect.sleep(choices.below(20)),
      cancel: () => Effect.sleep(choices.below(150)),
      check: {
        test: server.ping,
        skipWithin: "50 millis",
        keepalive: "150 millis",
        timeout: "40 millis",
        isAlive: (c) => !c.dead
      }
    })
    const events: Array<PoolEvent> = []
    const listener = yield* Effect.forkChild(
      Stream.runForEach(Pool.events(pool), (event) => Effect.sync(() => events.push(event))),
      { startImmediately: true }
    )
    yield* Effect.yieldNow
    const before = yield* Pool.stats(pool)
    const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
    let begun = 0
    const operations: ReadonlyArray<() => Effect.Effect<unknown>> = [
      () => {
        begun++
        const hold = choices.below(200)
        const borrow = Pool.use(pool, () => Effect.sleep(hold), {
          priority: choices.below(2),
          key: `${choices.below(3)}`
        })
        return Effect.map(Effect.forkChild(Effect.exit(borrow), { startImmediately: choices.next() < 0.5 }), (fiber) =>
          fibers.push(fiber))
      },
      () => {
        const levels = 1 + choices.below(4)
        begun += levels
        const nested = (left: number): Effect.Effect<unknown, unknown> =>
          Pool.use(pool, () =>
            Effect.andThen(Effect.sleep(20), left === 1 ? Effect.void : nested(left - 1)))
        return Effect.map(Effect.forkChild(Effect.exit(nested(levels))), (fiber) => fibers.push(fiber))
      },
      () => TestClock.adjust(choices.below(120)),
      () => Effect.sync(() => fibers.length > 0 && choices.pick(fibers).interruptUnsafe()),
      () => {
        const connection = choices.pick([...server.connections.values(), undefined])
        const reason = choices.next() < 0.1 ? "WrongRole" : "Invalidated"
        return connection === undefined ? Effect.void : Pool.invalidate(pool, connection, reason)
      },
      () => Effect.sync(() => server.connections.forEach((c) => (c.dead = choices.next() < 0.2))),
      () => Effect.sync(() => server.connections.forEach((c) => (c.silent = choices.next() < 0.2))),
      () =>
        Effect.sync(() => {
          server.mode = choices.pick(["accepts", "accepts", "accepts", "refuses", "black hole"])
          server.dialTime = choices.pick([0, 20, 100])
          server.closeTime = choices.pick([0, 0, 30])
        }),
      () => choices.next() < 0.1 ? Pool.pause(pool) : Pool.resume(pool),
      () => {
        const max = 1 + choices.below(MAX)
        return choices.next() < 0.2 ? Pool.resize(pool, { min: choices.below(max + 1), max }) : Effect.void
      },
      () => choices.next() < 0.1 ? Pool.clear(pool, { interrupt: choices.next() < 0.5 }) : Effect.void,
      () => Effect.yieldNow
    ]
    for (let step = 0; step < steps; step++) {
      yield* choices.pick([...operations, operations[0]!, operations[0]!, operations[1]!])()
      look(server, yield* Pool.stats(pool), begun)
    }
    yield* TestClock.adjust("5 seconds")
    yield* Effect.forEach(fibers, Fiber.await)
    const drained = yield* Effect.forkChild(Pool.drain(pool, "1 second"))
    yield* TestClock.adjust("10 seconds")
    yield* Fiber.join(drained)
    const stats = yield* Pool.stats(pool)
    yield* TestClock.adjust("1 second")
    return { server, stats, before, events, begun, listener, pool }
  })

const count = (events: ReadonlyArray<PoolEvent>, tag: PoolEvent["_tag"]) =>
  events.filter((event) => event._tag === tag).length

describe("hard cap (behaviour 1) and numbers that agree (behaviour 25)", () => {
  it.effect(
    "never has more than max sockets, and stats that add up, through 10,000 random operations",
    () =>
      Effect.gen(function*() {
        const choices = seeded(seed)
        let step = 0
        const end = yield* storm(10_000, choices, (server, stats, begun) => {
          step++
          const at = `seed ${seed}, step ${step}`
          const { checking, closing, idle, opening, used } = stats
          assert.isAtMost(server.peakSockets, MAX, at)
          assert.isAtMost(idle + used + opening + checking + closing, MAX, at)
          assert.isAtLeast(Math.min(idle, used, opening, checking, closing, stats.waiting), 0, at)
          assert.strictEqual(idle + used + opening + checking + closing, server.sockets, at)
          const ended = stats.acquired + stats.timedOut + stats.refused + stats.cancelled + stats.unavailable +
            stats.nested + stats.refusedClosed
          assert.isAtMost(ended + stats.waiting, begun, at) // a forked borrow may not have begun
          assert.strictEqual(stats.opened - stats.closed, idle + used + checking, at)
        })
        assert.isAbove(end.stats.acquired + end.stats.timedOut + end.stats.unavailable, 1000)
        const { idle, used, waiting } = end.stats
        assert.deepStrictEqual([end.server.sockets, waiting, used, idle], [0, 0, 0, 0], `seed ${seed}`)
      }),
    60_000
  )

  it.effect("publishes an event for every number", () =>
    Effect.gen(function*() {
      const { before, events, listener, stats } = yield* storm(400, seeded(seed), () => {})
      yield* Fiber.interrupt(listener)
      const published = {
        opened: count(events, "Dialed"),
        closed: count(events, "Closed"),
        acquired: count(events, "Acquired"),
        reused: events.filter((event) => event._tag === "Acquired" && event.reused).length,
        revoked: count(events, "Revoked"),
        timedOut: count(events, "TimedOut"),
        refused: count(events, "Refused"),
        cancelled: count(events, "Cancelled"),
        unavailable: count(events, "Unavailable"),
        nested: count(events, "NestedRefused"),
        refusedClosed: count(events, "ClosedRefused")
      }
      const counted = {
        opened: stats.opened - before.opened,
        closed: stats.closed,
        acquired: stats.acquired,
        reused: stats.reused,
        revoked: stats.revoked,
        timedOut: stats.timedOut,
        refused: stats.refused,
        cancelled: stats.cancelled,
        unavailable: stats.unavailable,
        nested: stats.nested,
        refusedClosed: stats.refusedClosed
      }
      assert.deepStrictEqual(published, counted, `seed ${seed}`)
      assert.strictEqual(
        count(events, "Acquired"),
        count(events, "Returned") + count(events, "Revoked"),
        `seed ${seed}`
      )
      assert.deepStrictEqual([count(events, "Draining"), count(events, "Drained")], [1, 1])
    }))

  it.effect("ends the stream of events with the pool, and builds none while nobody listens", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const events = yield* Effect.scoped(Effect.gen(function*() {
        const pool = yield* poolOf(server, { size: { max: 1 } })
        const listener = yield* Effect.forkDetach(Stream.runCollect(Pool.events(pool)), { startImmediately: true })
        yield* Effect.yieldNow
        yield* Pool.use(pool, () => Effect.void)
        return listener
      }))
      const seen = yield* Fiber.join(events)
      assert.deepStrictEqual(seen.map((event) => event._tag), [
        "Waited",
        "Dialed",
        "Acquired",
        "Returned",
        "Draining",
        "Closed",
        "Drained"
      ])
    }))
})
