/** The pool beside generic-pool, tarn, lightning-pool and Effect's own. */
import * as Pool from "@breakwater/core/Pool"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as EffectPool from "effect/Pool"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as GenericPool from "generic-pool"
import {
  type Candidate,
  type Case,
  floors,
  type Group,
  type Hold,
  ofEffect,
  ofPromises,
  ours,
  peer,
  type Who
} from "../candidate.ts"
import * as Pools from "../peers/pools.ts"

const all = (setting: Pools.Setting): ReadonlyArray<Candidate> => [
  Pools.breakwater(ours, setting),
  Pools.least({ name: "the least in fibers", role: "bound" }, setting),
  Pools.effect(peer("Effect"), setting),
  Pools.genericPool(peer("generic-pool"), setting),
  Pools.tarn(peer("tarn"), setting),
  Pools.lightningPool(peer("lightning-pool"), setting)
]

const watch = <A>(pool: Pool.Pool<A>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.andThen(
    Effect.forkScoped(Stream.runDrain(Pool.changes(pool))),
    Effect.forkScoped(Effect.repeat(Metric.snapshot, Schedule.spaced("1 second")))
  )

const free = (): Case => ({
  name: "Borrow and return, free pool of 10",
  about:
    "One user borrows a connection, does nothing with it, and gives it back. Breakwater has lifetimes, a check with " +
    "its skip window, lineage, the histograms of times and the numbers, and nobody listens to its events; bare, it has " +
    "no lifetimes, check and lineage, and still counts times; watched, somebody listens to its changes, as the log and the " +
    "dashboard do, and reads all metrics each second, as Prometheus does.",
  candidates: [
    ...floors(),
    ...all({}),
    ofEffect(
      { name: "Breakwater, watched", role: "ours" },
      Effect.map(Effect.tap(Pools.breakwaterPool(10), watch), (pool) => () => Pool.use(pool, () => Effect.void))
    ),
    ofEffect(
      { name: "Breakwater, bare", role: "ours" },
      Effect.map(Pools.breakwaterPool(10, "bare"), (pool) => () => Pool.use(pool, () => Effect.void))
    ),
    ofEffect(
      { name: "Breakwater, get", role: "ours" },
      Effect.map(Pools.breakwaterPool(10), (pool) => () => Effect.scoped(Pool.get(pool)))
    ),
    ofEffect(
      peer("Effect, get"),
      Effect.map(Pools.effectPool(10), (pool) => () => Effect.scoped(EffectPool.get(pool)))
    )
  ],
  goals: [
    { of: "Breakwater", atMost: 0.5, against: "generic-pool" },
    { of: "Breakwater", atMost: 0.9, against: "Effect" },
    { of: "Breakwater, bare", atMost: 0.75, against: "Effect" },
    { of: "Breakwater, watched", atMost: 1.1, against: "Breakwater" }
  ]
})

const microtask: Hold = {
  promise: () => Promise.resolve(),
  effect: Effect.callback((resume) => queueMicrotask(() => resume(Effect.void)))
}

const turn: Hold = {
  promise: () => new Promise((resolve) => setImmediate(resolve)),
  effect: Effect.callback((resume) => {
    setImmediate(() => resume(Effect.void))
  })
}

const contended = (over: string, hold: Hold): Case => ({
  name: `64 users on 10 connections, held over ${over}`,
  about:
    "Most users wait for a connection that another one gives back. The least in fibers is an array, a queue and a " +
    "finalizer: each wait puts a fiber down and takes it up again, where a pool of promises settles a promise.",
  candidates: [...floors(hold, { users: 64 }), ...all({ hold, users: 64 })],
  goals: ["Effect", "generic-pool", "tarn", "lightning-pool"].map((against) => ({
    of: "Breakwater",
    atMost: 0.9,
    against
  }))
})

/** A pool whose only connection is lent, with as many waiting as may. */
const fullPool = Effect.gen(function*() {
  const pool = yield* Pool.make({
    name: "bench",
    acquire: Effect.succeed(1),
    size: { max: 1 },
    wait: { timeout: "10 minutes", maxWaiting: 1 }
  })
  yield* Pool.get(pool)
  yield* Effect.forkScoped(Pool.detached(Pool.use(pool, () => Effect.void))) // it waits inside of nothing
  yield* Effect.yieldNow
  return () => Effect.ignore(Pool.use(pool, () => Effect.void))
})

const fullGenericPool = async () => {
  const factory = { create: async () => 1, destroy: async () => {} }
  const pool = GenericPool.createPool(factory, { max: 1, maxWaitingClients: 1 })
  const lent = await pool.acquire()
  const waiting = pool.acquire()
  return { pool, lent, waiting }
}

const refused = (): Case => ({
  name: "A borrow that is refused",
  about: "The only connection is lent and the queue is full. Pools without a bound of the queue are not listed.",
  candidates: [
    ...floors(),
    ofEffect(ours, fullPool),
    ofPromises(peer("generic-pool"), {
      open: fullGenericPool,
      op: ({ pool }) => () => pool.acquire().then(() => {}, () => {}),
      close: async ({ lent, pool, waiting }) => {
        await pool.release(lent)
        await pool.release(await waiting)
        await pool.drain()
        await pool.clear()
      }
    })
  ],
  goals: [{ of: "Breakwater", nanos: 2000 }]
})

const MANY = 10_000

const stats = (): Case => ({
  name: "The numbers of a pool of 10,000",
  about: "`stats`, as a dashboard asks for them.",
  candidates: [
    ...floors(),
    ofEffect(ours, Effect.map(Pools.breakwaterPool(MANY), (pool) => () => Pool.stats(pool))),
    ofEffect(peer("Effect"), Effect.map(Pools.effectPool(MANY), (pool) => () => EffectPool.stats(pool)))
  ],
  goals: [{ of: "Breakwater", nanos: 1000 }]
})

const INVALIDATIONS = 400

/** Hands out what it made, the oldest first. */
const counted = () => {
  const made: Array<Pools.Connection> = []
  const acquire = Effect.sync(() => {
    const item = { open: true }
    made.push(item)
    return item
  })
  let taken = 0
  return { acquire, next: () => made[taken++] ?? { open: false } }
}

const invalidated = (): Case => {
  const [own, other] = [counted(), counted()]
  const size = { min: MANY, max: MANY }
  return {
    name: "Invalidate one of 10,000",
    about: `Idle connections are declared broken, ${INVALIDATIONS} in a row; each pool replaces them.`,
    candidates: [
      ...floors(undefined, undefined, INVALIDATIONS),
      ofEffect(
        { ...ours, times: INVALIDATIONS },
        Pool.make({ name: "bench", acquire: own.acquire, size, dial: { concurrency: MANY } }).pipe(
          Effect.tap(Pool.warm),
          Effect.map((pool) => () => Pool.invalidate(pool, own.next()))
        )
      ),
      ofEffect(
        { ...peer("Effect"), times: INVALIDATIONS },
        Effect.map(
          EffectPool.make({ acquire: other.acquire, size: MANY }),
          (pool) => () => EffectPool.invalidate(pool, other.next())
        )
      )
    ],
    goals: [{ of: "Breakwater", nanos: 25_000 }]
  }
}

const crowds = [1000, 10_000, 100_000]

/** tarn's cost grows with the square of them: it would take minutes. */
const TARN_CROWD = 10_000

const crowd = (times: number): ReadonlyArray<Candidate> => {
  const setting: Pools.Setting = { hold: microtask, users: times }
  const who = (name: string, role: Candidate["role"]): Who => ({
    name: named(name, times),
    role,
    times,
    against: named(name, crowds[0] ?? times)
  })
  return [
    ...floors(microtask, { users: times }, times),
    Pools.breakwater(who("Breakwater", "ours"), setting),
    Pools.effect(who("Effect", "peer"), setting),
    Pools.genericPool(who("generic-pool", "peer"), setting),
    Pools.lightningPool(who("lightning-pool", "peer"), setting),
    ...(times > TARN_CROWD ? [] : [Pools.tarn(who("tarn", "peer"), setting)])
  ]
}

const named = (name: string, users: number) => `${name}, ${users.toLocaleString("en")} users`

const waiters = (): Case => ({
  name: "1,000, 10,000 and 100,000 users on 10 connections",
  about: "All come at once, each borrows once; the cost of one of them, and its ratio to that in the smallest crowd.",
  candidates: crowds.flatMap(crowd),
  goals: crowds.slice(1).map((users) => ({
    of: named("Breakwater", users),
    atMost: 1.5,
    against: named("Breakwater", 1000)
  }))
})

export const pool: Group = {
  name: "pool",
  cases: Effect.sync(() => [
    free(),
    contended("a microtask", microtask),
    contended("a turn of the event loop", turn),
    refused(),
    stats(),
    invalidated(),
    waiters()
  ])
}
