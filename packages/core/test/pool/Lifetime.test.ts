import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import type { CloseReason } from "../../src/pool/PoolEvent.ts"
import { type Connection, FakeServer, poolOf } from "./fakeServer.ts"

/** Collects why, and when, connections were closed. */
const closes = <A>(pool: Pool.Pool<A>) =>
  Effect.gen(function*() {
    const seen: Array<{ readonly reason: CloseReason; readonly at: number }> = []
    const clock = yield* Clock.Clock
    yield* Effect.forkScoped(
      Stream.runForEach(Pool.events(pool), (event) =>
        Effect.sync(() => {
          if (event._tag === "Closed") seen.push({ reason: event.reason, at: clock.currentTimeMillisUnsafe() })
        })),
      { startImmediately: true }
    )
    yield* Effect.yieldNow
    return seen
  })

const run = (steps: number, step: Duration.Input, look: () => void) =>
  Effect.forEach(Array.from({ length: steps }), () => Effect.tap(TestClock.adjust(step), () => Effect.sync(look)), {
    discard: true
  })

/** Has `count` connections open at once, then idle. */
const openAll = (pool: Pool.Pool<Connection>, count: number) =>
  Effect.scoped(Effect.all(Array.from({ length: count }, () => Pool.get(pool)), { concurrency: "unbounded" }))

describe("lifetimes (behaviour 15)", () => {
  it.effect("spread the ends of what opened together evenly over a tenth, with idle never below min", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = "20 millis"
      const pool = yield* poolOf(server, {
        size: { min: 100, max: 110 },
        dial: { concurrency: 100 },
        lifetime: { max: "1000 seconds" }
      })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(server.open, 100)
      const closed = yield* closes(pool)
      let least = Infinity
      yield* run(1010, "1 second", () => {
        least = Math.min(least, server.open)
      })
      assert.strictEqual(least, 100)
      assert.isAtMost(server.peakSockets, 110)
      assert.isTrue(closed.every(({ reason }) => reason === "MaxLifetime"))
      const ends = closed.map(({ at }) => at)
      assert.isAtLeast(Math.max(...ends) - Math.min(...ends), 95_000)
      assert.isAtLeast(Math.min(...ends), 900_000)
      const perTwoSeconds = new Map<number, number>()
      for (const at of ends) {
        const slot = Math.floor(at / 2000)
        perTwoSeconds.set(slot, (perTwoSeconds.get(slot) ?? 0) + 1)
      }
      // The first hundred: the mean is one a second.
      assert.isAtMost(Math.max(...perTwoSeconds.values()), 4)
      assert.strictEqual((yield* Pool.stats(pool)).idle, 100)
    }))

  it.effect("close the old one first where there is no room for both", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = server.closeTime = "20 millis"
      yield* poolOf(server, { size: { min: 5, max: 5 }, lifetime: { max: "100 seconds" } })
      yield* TestClock.adjust("1 second")
      let least = Infinity
      yield* run(110 * 50, "20 millis", () => {
        least = Math.min(least, server.open)
      })
      assert.strictEqual(server.peakSockets, 5)
      assert.isAtLeast(server.opened, 10)
      assert.strictEqual(least, 4)
      assert.strictEqual(server.open, 5)
      server.closeTime = 0
    }))

  it.effect("end on return for what is in use, and are not the same for two pools", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 2 }, lifetime: { max: "1 hour" } })
      const closed = yield* closes(pool)
      const fiber = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("70 minutes")))
      yield* TestClock.adjust("65 minutes")
      assert.strictEqual(server.open, 1)
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(closed.map(({ reason }) => reason), ["MaxLifetime"])
      assert.strictEqual(server.open, 0)
    }))

  it.effect("end at the very maximum where the jitter is 0, and never where the maximum is infinite", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const lifetime = { idle: "Infinity", jitter: 0 } as const
      const options = { name: "p", acquire: server.acquire, size: { min: 0, max: 2 } }
      const mortal = yield* Pool.make({ ...options, lifetime: { ...lifetime, max: "1 minute" } })
      const immortal = yield* Pool.make({ ...options, lifetime: { ...lifetime, max: "Infinity" } })
      yield* openAll(mortal, 2)
      yield* openAll(immortal, 2)
      yield* TestClock.adjust("59999 millis")
      assert.strictEqual(server.open, 4)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(server.open, 2)
      yield* TestClock.adjust("48 hours")
      assert.strictEqual(server.open, 2)
    }))

  it.effect("keep the old one while the server cannot be reached, and replace it once it can", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 2, max: 5 }, lifetime: { max: "1 minute", idle: "Infinity" } })
      const closed = yield* closes(pool)
      server.mode = "refuses"
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual([...server.connections.keys()], [1, 2])
      assert.strictEqual(yield* Pool.use(pool, () => Effect.succeed("served")), "served")
      server.mode = "accepts"
      yield* TestClock.adjust("1 second")
      assert.strictEqual(server.open, 2)
      assert.isTrue([...server.connections.keys()].every((id) => id > 2))
      assert.deepStrictEqual(closed.map(({ reason }) => reason), ["MaxLifetime", "MaxLifetime"])
    }))

  it.effect("are kept for what was warmed although nobody has borrowed yet", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 2, max: 5 }, start: "lazy", lifetime: { max: "1 minute" } })
      yield* Pool.warm(pool)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([...server.connections.keys()], [3, 4])
    }))

  it.effect("do not take the replacement for overflow where keep is min", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 3, max: 6, keep: 3 }, lifetime: { max: "1 minute" } })
      const closed = yield* closes(pool)
      yield* TestClock.adjust("59 seconds")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(closed.map(({ reason }) => reason), ["MaxLifetime", "MaxLifetime", "MaxLifetime"])
      assert.deepStrictEqual([server.open, server.opened], [3, 6])
    }))
})

describe("time and a clear at once", () => {
  const times: Record<string, Pool.Options<Connection, never, never>["lifetime"]> = {
    "as old as they get": { max: "1 minute", jitter: 0 },
    "idle for too long": { idle: "1 minute" },
    "due for a check": { max: "1 hour", idle: "1 hour" }
  }
  for (const [what, lifetime] of Object.entries(times)) {
    it.effect(`leave connections alone that are ${what} and were cleared, but have yet to be closed`, () =>
      Effect.gen(function*() {
        const server = new FakeServer()
        const size = 3000
        const pool = yield* poolOf(server, {
          size: { max: size },
          lifetime,
          check: { test: server.ping, keepalive: "1 minute" }
        })
        yield* openAll(pool, size)
        yield* TestClock.adjust("59999 millis")
        yield* Pool.clear(pool)
        assert.isAbove(server.open, size / 2) // closed in batches
        yield* TestClock.adjust("1 millis")
        for (let i = 0; i < 100; i++) yield* Effect.yieldNow
        const { checking, closed, closing, idle } = yield* Pool.stats(pool)
        assert.deepStrictEqual({ checking, closed, closing, idle }, { checking: 0, closed: size, closing: 0, idle: 0 })
        assert.strictEqual(server.sockets, 0)
      }))
  }
})

describe("a clear while many connections are due for a check", () => {
  it.effect("has none of them checked any more", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const size = 3000
      let checks = 0
      const test = () => Effect.andThen(Effect.sync(() => checks++), Effect.sleep("10 millis"))
      const pool = yield* poolOf(server, { size: { max: size }, check: { test, keepalive: "1 minute" } })
      yield* openAll(pool, size)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(checks, 2)
      yield* Pool.clear(pool)
      for (let i = 0; i < 100; i++) yield* Effect.yieldNow
      const { checking, closed, closing, idle } = yield* Pool.stats(pool)
      assert.deepStrictEqual({ checking, closed, closing, idle }, { checking: 0, closed: size, closing: 0, idle: 0 })
      assert.deepStrictEqual([checks, server.sockets], [2, 0])
    }))
})

describe("idleness", () => {
  it.effect("closes what nobody used for two minutes, down to min", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 2, max: 10 } })
      const closed = yield* closes(pool)
      yield* openAll(pool, 10)
      yield* TestClock.adjust("119 seconds")
      assert.strictEqual(server.open, 10)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(server.open, 2)
      assert.isTrue(closed.every(({ reason }) => reason === "Idle"))
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual([server.open, server.opened], [2, 10])
    }))

  it.effect("spares the connection that is in use again and again", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 5 } })
      yield* openAll(pool, 5)
      const hot = yield* Pool.use(pool, (c) => Effect.succeed(c.id))
      for (let i = 0; i < 200; i++) {
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Pool.use(pool, (c) => Effect.succeed(c.id)), hot)
      }
      assert.deepStrictEqual([...server.connections.keys()], [hot])
    }))

  it.effect("leaves no timer behind when the pool has ended", () =>
    Effect.gen(function*() {
      let sleeping = 0
      const clock = yield* Clock.Clock
      // Only its sleep is another.
      const counting: Clock.Clock = Object.assign(Object.create(clock), {
        sleep: (duration: Duration.Duration) =>
          Effect.suspend(() => {
            sleeping++
            return Effect.ensuring(clock.sleep(duration), Effect.sync(() => sleeping--))
          })
      })
      const server = new FakeServer()
      const { acquire, ping } = server
      yield* Effect.scoped(Effect.gen(function*() {
        const pool = yield* Pool.make({ name: "p", acquire, size: { max: 5 }, check: { test: ping } })
        assert.strictEqual(sleeping, 0) // nothing is open, so nothing is due
        yield* openAll(pool, 5)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(sleeping, 1)
        yield* Pool.clear(pool)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(sleeping, 0)
        yield* openAll(pool, 1)
      })).pipe(Effect.provideService(Clock.Clock, counting))
      assert.strictEqual(sleeping, 0)
    }))
})

describe("keepalive (behaviour 13)", () => {
  const kept = (size: number, keepalive?: Duration.Input) =>
    Effect.gen(function*() {
      const server = new FakeServer()
      let now = 0
      let peak = 0
      const test = (connection: Connection) =>
        Effect.suspend(() => {
          peak = Math.max(peak, ++now)
          return Effect.andThen(Effect.sleep("10 millis"), server.ping(connection))
        }).pipe(Effect.ensuring(Effect.sync(() => now--)))
      const pool = yield* poolOf(server, {
        size: { min: size, max: size },
        dial: { concurrency: 3 },
        check: { test, keepalive }
      })
      yield* Pool.warm(pool)
      const pings = () => [...server.connections.values()].reduce((sum, c) => sum + c.pings, 0)
      return { server, pool, pings, peak: () => peak }
    })

  it.effect("checks every half minute what is idle, as many at once as may dial", () =>
    Effect.gen(function*() {
      const { peak, pings } = yield* kept(10)
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(pings(), 0)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(pings(), 10)
      assert.strictEqual(peak(), 3)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(pings(), 20)
    }))

  it.effect("checks nothing that is in use, nor what was used within the interval, nor anything when it is infinite", () =>
    Effect.gen(function*() {
      const { pings, pool } = yield* kept(1)
      for (let i = 0; i < 1000; i++) {
        yield* Pool.use(pool, () => Effect.sleep(0))
        yield* TestClock.adjust("100 millis")
      }
      assert.strictEqual(pings(), 0)
      const fiber = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("2 minutes")))
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(fiber)
      assert.strictEqual(pings(), 0)
      const never = yield* kept(2, "Infinity")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(never.pings(), 0)
    }))

  it.effect("keeps its interval also where idleness is looked at more often", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      yield* poolOf(server, {
        size: { min: 1, max: 1 },
        lifetime: { idle: "10 seconds" },
        check: { test: server.ping }
      })
      yield* TestClock.adjust("100 seconds")
      assert.deepStrictEqual([...server.connections.values()].map((c) => c.pings), [3])
    }))

  it.effect("leaves a connection as idle as it was: due for a check before its use, and last in line for it", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { max: 3 }, check: { test: server.ping, keepalive: "10 seconds" } })
      yield* openAll(pool, 3)
      yield* TestClock.adjust("400 millis")
      const newest = yield* Pool.use(pool, (c) => Effect.succeed(c.id))
      yield* TestClock.adjust("9600 millis") // the other two are checked
      const pings = () => [...server.connections.values()].map((c) => c.pings)
      assert.deepStrictEqual(pings().toSorted((a, b) => a - b), [0, 1, 1])
      const three = yield* Effect.scoped(Effect.all([Pool.get(pool), Pool.get(pool), Pool.get(pool)]))
      assert.deepStrictEqual([three[0].id, ...pings().toSorted((a, b) => a - b)], [newest, 1, 2, 2])
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(server.open, 0)
    }))

  it.effect("takes a failure for what it is, a failed check: all the others are checked at once, and replaced", () =>
    Effect.gen(function*() {
      const { pool, server } = yield* kept(10)
      const before = [...server.connections.values()]
      for (const connection of before) connection.dead = true
      yield* TestClock.adjust("31 seconds")
      assert.deepStrictEqual(before.map((c) => c.pings), before.map(() => 1))
      assert.strictEqual(server.open, 10)
      assert.isFalse([...server.connections.values()].some((c) => c.dead))
      assert.strictEqual((yield* Pool.stats(pool)).idle, 10)
    }))

  it.effect("asks isAlive where there is no test, and replaces what is dead", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const pool = yield* poolOf(server, { size: { min: 2, max: 2 }, check: { isAlive: (c) => !c.dead } })
      const closed = yield* closes(pool)
      for (const connection of server.connections.values()) connection.dead = true
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(closed.map(({ reason }) => reason), ["Broken", "Broken"])
      assert.deepStrictEqual([...server.connections.keys()], [3, 4])
    }))
})

it("refuses lifetimes that are not allowed, by name and value", () => {
  const options = { name: "p", acquire: Effect.succeed(1), size: { max: 5 } }
  assert.throws(() => Pool.make({ ...options, lifetime: { max: 0 } }), RangeError, /lifetime\.max.*0/)
  assert.throws(() => Pool.make({ ...options, lifetime: { idle: 0 } }), RangeError, /lifetime\.idle.*0/)
  assert.throws(() => Pool.make({ ...options, lifetime: { jitter: 1.5 } }), RangeError, /lifetime\.jitter.*1\.5/)
  const check = { test: () => Effect.void }
  assert.throws(() => Pool.make({ ...options, check: { ...check, keepalive: 0 } }), RangeError, /check\.keepalive/)
})
