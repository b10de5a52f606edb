import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Outcome from "../../src/policy/Outcome.ts"
import * as Pool from "../../src/pool/Pool.ts"
import type { PoolError } from "../../src/pool/PoolError.ts"
import type { PoolEvent } from "../../src/pool/PoolEvent.ts"
import { FakeServer, poolOf } from "./fakeServer.ts"
import { seed, seeded } from "./seeded.ts"

const SIZE = 10
/** Mean hold, in milliseconds; the pool can serve `SIZE / HOLD` borrows a millisecond. */
const HOLD = 20
const CAPACITY = SIZE / HOLD
const TARGET = 50
const CODEL = { target: TARGET, interval: 3 * TARGET }

interface Traffic {
  readonly key?: string
  /** As a multiple of the pool's capacity. */
  readonly load: number
  /** In milliseconds of the run. */
  readonly from?: number
}

type Random = ReturnType<typeof seeded>

const exponential = (random: Random, mean: number) => -Math.log(1 - random.next()) * mean
const fixed = () => HOLD
/** Mean 1 x `HOLD`, the 99th percentile 4.7 times that. */
const lognormal = (random: Random) => {
  const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
  return HOLD * Math.exp(0.8 * normal - 0.32)
}

const makePool = (wait: Pool.Options<unknown, unknown, unknown>["wait"], size = SIZE) =>
  Pool.make({ name: "p", acquire: new FakeServer().acquire, size: { max: size }, wait })

interface Run {
  /** How long those waited who were served, in milliseconds, by key. */
  readonly waits: ReadonlyMap<string, ReadonlyArray<number>>
  readonly stats: Pool.Stats
}

/** Poisson arrivals for `millis` of virtual time. */
const simulate = (
  random: Random,
  traffic: ReadonlyArray<Traffic>,
  hold: (random: Random) => number,
  millis: number,
  codel: typeof CODEL | false
): Effect.Effect<Run, PoolError, Scope.Scope> =>
  Effect.gen(function*() {
    const pool = yield* makePool({ timeout: 10 * TARGET, maxWaiting: 100_000, codel })
    const waits = new Map<string, Array<number>>()
    const borrow = (key: string) =>
      Effect.gen(function*() {
        const arrivedAt = yield* Clock.currentTimeMillis
        yield* Pool.use(pool, () =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            const served = waits.get(key) ?? []
            waits.set(key, served)
            served.push(now - arrivedAt)
            return Effect.sleep(hold(random))
          }), { key }).pipe(Effect.ignore)
      })
    const arrivals = ({ from = 0, key = "", load }: Traffic) =>
      Effect.gen(function*() {
        for (let at = from; at < millis;) {
          const gap = exponential(random, 1 / (load * CAPACITY))
          at += gap
          yield* Effect.sleep(gap)
          yield* Effect.forkScoped(borrow(key))
        }
      })
    yield* Effect.forkChild(Effect.forEach(traffic, (one) => Effect.delay(arrivals(one), one.from ?? 0), {
      concurrency: "unbounded"
    }))
    yield* TestClock.adjust(millis)
    return { waits, stats: yield* Pool.stats(pool) }
  })

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * q)]!

const served = (run: Run, key = "") => run.waits.get(key) ?? []

describe("overload (behaviour 24)", () => {
  for (const [name, hold] of [["fixed", fixed], ["lognormal", lognormal]] as const) {
    it.effect(`serves nearly all that it can, and soon, at twice the capacity with ${name} holds`, () =>
      Effect.gen(function*() {
        const run = yield* simulate(seeded(seed), [{ load: 2 }], hold, 6000, CODEL)
        const waits = served(run)
        assert.isAtMost(quantile(waits, 0.99), 2 * TARGET, `seed ${seed}`)
        assert.isAtLeast(waits.length, 0.9 * CAPACITY * 6000, `seed ${seed}`)
        assert.isAbove(run.stats.shed, 0.4 * CAPACITY * 6000)
        assert.strictEqual(run.stats.timedOut, 0, `seed ${seed}`)
      }))
  }

  it.effect("makes everybody wait for nearly the whole deadline without it", () =>
    Effect.gen(function*() {
      const run = yield* simulate(seeded(seed), [{ load: 2 }], fixed, 4000, false)
      assert.isAbove(quantile(served(run), 0.5), 9 * TARGET, `seed ${seed}`)
      assert.strictEqual(run.stats.shed, 0)
    }))

  it.effect("sheds next to nothing at four fifths of the capacity", () =>
    Effect.gen(function*() {
      const run = yield* simulate(seeded(seed), [{ load: 0.8 }], lognormal, 4000, CODEL)
      assert.isAtMost(run.stats.shed, 0.01 * served(run).length, `seed ${seed}`)
    }))

  it.effect("serves two keys alike though one asks for ten times as much", () =>
    Effect.gen(function*() {
      const traffic = [{ key: "many", load: 5.5 }, { key: "few", load: 0.55 }]
      const run = yield* simulate(seeded(seed), traffic, lognormal, 4000, CODEL)
      const few = served(run, "few").length
      const share = few / (few + served(run, "many").length)
      assert.isTrue(share >= 0.4 && share <= 0.6, `${share}, seed ${seed}`)
    }))

  it.effect("gives an idle key's share to the others", () =>
    Effect.gen(function*() {
      const traffic = [{ key: "many", load: 2 }, { key: "late", load: 2, from: 2000 }]
      const run = yield* simulate(seeded(seed), traffic, fixed, 4000, CODEL)
      const total = served(run, "many").length + served(run, "late").length
      assert.isAtLeast(total, 0.95 * CAPACITY * 4000, `seed ${seed}`)
      const late = served(run, "late").length / (CAPACITY * 2000)
      assert.isTrue(late >= 0.4 && late <= 0.6, `${late}, seed ${seed}`)
    }))
})

/** One connection, taken for as long as the test likes. */
const taken = (codel: { readonly target: Duration.Input; readonly interval: Duration.Input }) =>
  Effect.gen(function*() {
    const pool = yield* makePool({ timeout: "10 seconds", codel }, 1)
    const events: Array<PoolEvent> = []
    yield* Effect.forkChild(
      Stream.runForEach(Pool.events(pool), (event) => Effect.sync(() => events.push(event))),
      { startImmediately: true }
    )
    const hold = (time: Duration.Input) =>
      Effect.forkChild(Pool.use(pool, () => Effect.sleep(time)), { startImmediately: true })
    return { pool, events, hold }
  })

const codel = { target: "100 millis", interval: "1 second" } as const

describe("what CoDel takes for overload", () => {
  it.effect("lets a burst shorter than the interval wait", () =>
    Effect.gen(function*() {
      const { hold, pool } = yield* taken(codel)
      yield* hold("900 millis")
      const waiter = yield* hold(0)
      yield* TestClock.adjust("900 millis")
      yield* Fiber.join(waiter)
      assert.strictEqual((yield* Pool.stats(pool)).shed, 0)
    }))

  it.effect("tells those who wait behind work that hangs, with a typed error and an event", () =>
    Effect.gen(function*() {
      const { events, hold, pool } = yield* taken(codel)
      const hung = yield* hold("1 hour")
      const waiter = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.isUndefined(waiter.pollUnsafe())
      yield* TestClock.adjust("25 millis")
      const error = yield* Fiber.join(waiter)
      assert.deepStrictEqual(error.reason, {
        _tag: "Shed",
        pool: "p",
        waited: Duration.millis(1025),
        target: Duration.millis(100)
      })
      assert.deepStrictEqual<Outcome.Outcome>(error.outcome, Outcome.ignored("no"))
      assert.match(error.message, /^Pool "p" is overloaded and shed a borrow after 1s 25ms \(target 100ms\)\./)
      yield* Effect.yieldNow
      assert.deepStrictEqual(events.filter((event) => event._tag === "Shed"), [{
        _tag: "Shed",
        waited: Duration.millis(1025)
      }])
      const { shed, waiting } = yield* Pool.stats(pool)
      assert.deepStrictEqual({ shed, waiting }, { shed: 1, waiting: 0 })
      yield* Fiber.interrupt(hung)
    }))

  it.effect("sheds on a hand-over only whom it would have served late, and leaves the turn with that one's key", () =>
    Effect.gen(function*() {
      const { pool } = yield* taken(codel)
      const ends: Array<string> = []
      const borrow = (name: string, key: string, time: Duration.Input) =>
        Effect.forkChild(
          Pool.use(pool, () => Effect.andThen(Effect.sync(() => ends.push(name)), Effect.sleep(time)), { key }).pipe(
            Effect.catchReason("PoolError", "Shed", () => Effect.sync(() => ends.push(`${name} shed`)))
          ),
          { startImmediately: true }
        )
      yield* borrow("holder", "a", "990 millis")
      yield* borrow("b1", "b", "20 millis")
      yield* TestClock.adjust(800)
      yield* borrow("a1", "a", 0)
      yield* borrow("b2", "b", 0)
      yield* TestClock.adjust(150)
      yield* borrow("a2", "a", 0)
      yield* TestClock.adjust(40)
      assert.deepStrictEqual(ends, ["holder", "b1"]) // 990 ms: not an interval yet
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(ends, ["holder", "b1", "a1 shed", "a2", "b2 shed"])
    }))

  it.effect("counts from when the queue was empty, however busy the pool has been", () =>
    Effect.gen(function*() {
      const { hold, pool } = yield* taken(codel)
      for (let i = 0; i < 5; i++) {
        yield* hold("600 millis")
        yield* TestClock.adjust("600 millis")
      }
      yield* hold("600 millis")
      const waiter = yield* hold(0)
      yield* TestClock.adjust("600 millis")
      yield* Fiber.join(waiter)
      assert.strictEqual((yield* Pool.stats(pool)).shed, 0)
    }))

  it.effect("does not take a server that is down for an overloaded pool", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const pool = yield* poolOf(server, { size: { max: 1 }, wait: { timeout: "10 seconds", codel, failFast: false } })
      const waiters = yield* Effect.forEach([1, 2, 3], () =>
        Effect.forkChild(Pool.use(pool, () => Effect.sleep(10)), { startImmediately: true }))
      yield* TestClock.adjust("5 seconds")
      server.mode = "accepts"
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(waiters, Fiber.join)
      assert.strictEqual((yield* Pool.stats(pool)).shed, 0)
    }))

  it.effect("sheds nobody for the time of a pause", () =>
    Effect.gen(function*() {
      const { hold, pool } = yield* taken(codel)
      yield* hold(0)
      yield* TestClock.adjust("1 millis")
      yield* Pool.pause(pool)
      const waiters = yield* Effect.forEach(Array.from({ length: 8 }), () => hold("100 millis"))
      yield* TestClock.adjust("900 millis")
      yield* Pool.resume(pool)
      yield* TestClock.adjust("800 millis")
      yield* Effect.forEach(waiters, Fiber.join)
      assert.strictEqual((yield* Pool.stats(pool)).shed, 0)
    }))

  it.effect("refuses settings that cannot work", () =>
    Effect.sync(() => {
      assert.throws(
        () => makePool({ codel: { target: "1 second", interval: "1 millis" } }),
        RangeError,
        "Option \"wait.codel.interval\" is \"1 millis\"; allowed is a duration of wait.codel.target or more."
      )
      assert.throws(
        () => makePool({ codel: { target: 0, interval: 1 } }),
        RangeError,
        "Option \"wait.codel.target\" is 0; allowed is a finite duration longer than zero."
      )
    }))
})
