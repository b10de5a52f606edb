import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Metric } from "effect"
import { TestClock } from "effect/testing"
import * as Activity from "../../src/backend/Activity.ts"
import * as Pool from "../../src/pool/Pool.ts"
import { FakeServer } from "./fakeServer.ts"
import { seed, seeded } from "./seeded.ts"

/** With a registry of the test's own. */
const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

const labelOf = (attributes: Metric.Metric.AttributeSet | undefined): string => {
  const { "db.client.connection.pool.name": name, unit, ...labels } = attributes ?? {}
  return [name, ...Object.values(labels), unit].join(" ")
}

/** Every number that is shown, by its name, the pool's, what it is one of, and its unit. */
const shown = Effect.map(Metric.snapshot, (snapshots) => {
  const numbers: Record<string, number> = {}
  for (const one of snapshots) {
    const key = `${one.id} ${labelOf(one.attributes)}`
    if (one.type === "Gauge") numbers[key] = Number(one.state.value)
    if (one.type === "Counter") numbers[key] = Number(one.state.count)
  }
  return numbers
})

const truth = (name: string, stats: Pool.Stats): Record<string, number> => ({
  [`db.client.connection.count ${name} idle {connection}`]: stats.idle,
  [`db.client.connection.count ${name} used {connection}`]: stats.used,
  [`db.client.connection.count ${name} opening {connection}`]: stats.opening,
  [`db.client.connection.count ${name} checking {connection}`]: stats.checking,
  [`db.client.connection.count ${name} closing {connection}`]: stats.closing,
  [`db.client.connection.max ${name} {connection}`]: stats.max,
  [`db.client.connection.idle.min ${name} {connection}`]: stats.min,
  [`db.client.connection.pending_requests ${name} {request}`]: stats.waiting,
  [`db.client.connection.timeouts ${name} {timeout}`]: stats.timedOut,
  [`breakwater.pool.opened ${name} {connection}`]: stats.opened,
  [`breakwater.pool.closed ${name} {connection}`]: stats.closed,
  [`breakwater.pool.reused ${name} {borrow}`]: stats.reused,
  [`breakwater.pool.revoked ${name} {borrow}`]: stats.revoked,
  [`breakwater.pool.borrows ${name} acquired {borrow}`]: stats.acquired,
  [`breakwater.pool.borrows ${name} timed_out {borrow}`]: stats.timedOut,
  [`breakwater.pool.borrows ${name} refused {borrow}`]: stats.refused,
  [`breakwater.pool.borrows ${name} shed {borrow}`]: stats.shed,
  [`breakwater.pool.borrows ${name} cancelled {borrow}`]: stats.cancelled,
  [`breakwater.pool.borrows ${name} unavailable {borrow}`]: stats.unavailable,
  [`breakwater.pool.borrows ${name} nested {borrow}`]: stats.nested,
  [`breakwater.pool.borrows ${name} refused_closed {borrow}`]: stats.refusedClosed
})

const histogram = (id: string) =>
  Effect.map(Metric.snapshot, (snapshots) => {
    const found = snapshots.find((one) => one.id === id)
    if (found?.type !== "Histogram") return assert.fail(`no histogram ${id}`)
    assert.strictEqual(found.attributes?.["unit"], "s")
    return found.state
  })

describe("metrics (behaviour 25)", () => {
  it.effect("are the statistics at every step of a random run", () =>
    isolated(Effect.gen(function*() {
      const random = seeded(seed)
      const server = new FakeServer()
      server.dialTime = 5
      server.closeTime = 5
      const pool = yield* Pool.make({
        name: "orders",
        acquire: server.acquire,
        size: { min: 1, max: 4, keep: 2 },
        wait: { timeout: 60, maxWaiting: 5, codel: { target: 10, interval: 40 } },
        check: { test: server.ping, skipWithin: 10 }
      })
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      yield* Effect.addFinalizer(() => {
        server.closeTime = 0
        return Effect.andThen(Effect.forEach(fibers, Fiber.interrupt), TestClock.adjust(10))
      })
      for (let step = 0; step < 300; step++) {
        for (let burst = random.below(4); burst > 0; burst--) {
          const borrow = Pool.use(pool, () => Effect.sleep(random.below(100)))
          fibers.push(yield* Effect.forkChild(Effect.exit(borrow), { startImmediately: true }))
        }
        if (random.next() < 0.2) fibers.at(-1)?.interruptUnsafe()
        if (random.next() < 0.05) yield* Pool.clear(pool, { interrupt: true })
        yield* TestClock.adjust(random.below(30))
        assert.deepStrictEqual(yield* shown, truth("orders", yield* Pool.stats(pool)), `seed ${seed}, step ${step}`)
      }
      const { acquired, cancelled, refused, revoked, shed } = yield* Pool.stats(pool)
      for (const count of [acquired, cancelled, refused, revoked, shed]) assert.isAbove(count, 0, `seed ${seed}`)
    })))

  it.effect("show how long dials, waits and uses took, in seconds", () =>
    isolated(Effect.gen(function*() {
      const server = new FakeServer()
      server.dialTime = 200
      const activity = Activity.make()
      const pool = yield* Pool.make({
        name: "orders",
        acquire: server.acquire,
        size: { max: 1 },
        activity: () => activity
      })
      const use = Pool.use(pool, () =>
        Effect.andThen(Effect.sleep("1 second"), Activity.during(Effect.sleep("2 seconds"), activity)))
      const first = yield* Effect.forkChild(Effect.andThen(use, use), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(first)
      const dials = yield* histogram("db.client.connection.create_time")
      assert.deepStrictEqual([dials.count, dials.sum, dials.min, dials.max], [1, 0.2, 0.2, 0.2])
      const waits = yield* histogram("db.client.connection.wait_time")
      assert.deepStrictEqual([waits.count, waits.sum, waits.min, waits.max], [2, 0.2, 0, 0.2])
      const uses = yield* histogram("db.client.connection.use_time")
      assert.deepStrictEqual([uses.count, uses.sum, uses.min, uses.max], [2, 6, 3, 3])
      const idle = yield* histogram("breakwater.pool.held_idle_time")
      assert.deepStrictEqual([idle.count, idle.sum, idle.min, idle.max], [2, 2, 1, 1])
      assert.deepStrictEqual(
        waits.buckets.filter(([bound]) =>
          bound > 0.1 && bound < 0.6
        ),
        [[0.131072, 1], [0.262144, 2], [0.524288, 2]]
      )
    })))

  it.effect("tell pools of one name apart, and go with the pool", () =>
    isolated(Effect.gen(function*() {
      const make = Pool.make({ name: "orders", acquire: new FakeServer().acquire, size: { max: 1 } })
      const maxOf = (numbers: Record<string, number>) =>
        Object.keys(numbers).filter((key) => key.startsWith("db.client.connection.max"))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* make
        yield* Effect.scoped(Effect.andThen(
          make,
          Effect.map(shown, (numbers) =>
            assert.deepStrictEqual(maxOf(numbers), [
              "db.client.connection.max orders {connection}",
              "db.client.connection.max orders#2 {connection}"
            ]))
        ))
        yield* make // the name is free again
        assert.strictEqual(maxOf(yield* shown)[1], "db.client.connection.max orders#2 {connection}")
      }))
      assert.deepStrictEqual(yield* shown, {})
    })))

  it.effect("do not stay when a start fails", () =>
    isolated(Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const make = Pool.make({ name: "orders", acquire: server.acquire, size: { max: 1 }, start: "fail-fast" })
      yield* Effect.flip(make)
      assert.deepStrictEqual(yield* shown, {})
    })))
})
