/** The policies beside cockatiel, opossum and Effect's own. */
import * as Operation from "@breakwater/core/Operation"
import * as Policy from "@breakwater/core/Policy"
import * as Postgres from "@breakwater/postgres/Postgres"
import * as Cockatiel from "cockatiel"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import Opossum from "opossum"
import {
  type Candidate,
  type Case,
  floors,
  type Group,
  type Hold,
  ofEffect,
  ofPromises,
  ours,
  peer
} from "../candidate.ts"

const bound = (name: string, op: () => Effect.Effect<unknown, unknown>): Candidate =>
  ofEffect({ name, role: "bound" }, Effect.succeed(op))

const read = Operation.make("bench.read", { idempotent: true })

// Both are a call that does nothing: an effect that is its result already would not even be one.
const work = Effect.sync(() => {})
const promised = async () => {}
const broken = async () => {
  throw new Error("down")
}

const hold: Hold = { promise: () => undefined, effect: work }

/** Longer than any run. */
const OPEN_MS = 3_600_000

const nothingToClose = async () => {}

const breakwater = <E, Repeats extends boolean>(policy: Policy.Policy<E, Operation.Operation, Repeats>): Candidate =>
  ofEffect(ours, Effect.succeed(() => Policy.apply(work, policy, read)))

const ignoreExit = () => undefined

const cockatiel = (name: string, policy: Cockatiel.IPolicy): Candidate =>
  ofPromises(peer(name), {
    open: async () => policy,
    op: (made) => () => made.execute(promised),
    close: nothingToClose
  })

const effectBreaker = Effect.provide(
  CircuitBreaker.make({ tripPolicy: CircuitBreaker.rate({ size: 100 }), openDuration: OPEN_MS }),
  CircuitBreaker.layerStoreMemory()
)

const cockatielBreaker = (breaker: Cockatiel.IBreaker) =>
  Cockatiel.circuitBreaker(Cockatiel.handleAll, { halfOpenAfter: OPEN_MS, breaker })

const counting = () => new Cockatiel.CountBreaker({ threshold: 0.5, size: 100 })

const closed = (): Case => ({
  name: "Closed breaker",
  about: "A call that succeeds, through a breaker that counts it. Opossum's own timeout is off.",
  candidates: [
    ...floors(hold),
    breakwater(Policy.make({ breaker: {} })),
    bound(
      "Effect, begin and hear of the end",
      () => Effect.withFiber(() => Effect.onExitPrimitive(work, ignoreExit))
    ),
    ofEffect(
      peer("Effect"),
      Effect.map(effectBreaker, (breaker) => () => breaker.execute(work, { key: "bench" }))
    ),
    cockatiel("cockatiel, count", cockatielBreaker(counting())),
    cockatiel("cockatiel, consecutive", cockatielBreaker(new Cockatiel.ConsecutiveBreaker(5))),
    ofPromises(peer("opossum"), {
      open: async () => new Opossum(promised, { timeout: false }),
      op: (breaker) => () => breaker.fire(),
      close: async (breaker) => breaker.shutdown()
    })
  ],
  goals: [{ of: "Breakwater", atMost: 0.5, against: "opossum" }]
})

const openBreaker = Effect.gen(function*() {
  const policy = Policy.make({ breaker: { window: 1, minimumCalls: 1, openFor: OPEN_MS } })
  yield* Effect.ignore(Policy.apply(Effect.fail("down"), policy, read))
  return () => Effect.ignore(Policy.apply(work, policy, read))
})

const openEffectBreaker = Effect.gen(function*() {
  const breaker = yield* CircuitBreaker.make({ tripPolicy: CircuitBreaker.consecutive(1), openDuration: OPEN_MS })
  yield* Effect.ignore(breaker.execute(Effect.fail("down"), { key: "bench" }))
  return () => Effect.ignore(breaker.execute(work, { key: "bench" }))
}).pipe(Effect.provide(CircuitBreaker.layerStoreMemory()))

const down = Effect.fail("down")

const quietly = (promise: Promise<unknown>) => promise.then(() => {}, () => {})

const open = (): Case => ({
  name: "Open breaker",
  about: "A call that is rejected without being tried, and its rejection handled.",
  candidates: [
    ...floors(hold),
    ofEffect(ours, openBreaker),
    bound("Effect, a failure and its handling", () => Effect.ignore(down)),
    ofEffect(peer("Effect"), openEffectBreaker),
    ofPromises(peer("cockatiel"), {
      open: async () => {
        const breaker = cockatielBreaker(new Cockatiel.ConsecutiveBreaker(1))
        await quietly(breaker.execute(broken))
        return breaker
      },
      op: (breaker) => () => quietly(breaker.execute(promised)),
      close: nothingToClose
    }),
    ofPromises(peer("opossum"), {
      open: async () => {
        const breaker = new Opossum(broken, { timeout: false, resetTimeout: OPEN_MS })
        breaker.open()
        return breaker
      },
      op: (breaker) => () => quietly(breaker.fire()),
      close: async (breaker) => breaker.shutdown()
    })
  ],
  goals: [{ of: "Breakwater", atMost: 0.1, against: "opossum" }]
})

const schedule = Schedule.exponential("100 millis")

const Mark = Context.Reference<boolean>("bench/Mark", { defaultValue: () => false })

/** Puts one reference more into a context, and remembers what came of it. */
const mark = (() => {
  let from: Context.Context<never> | undefined
  let derived: Context.Context<never> | undefined
  return (context: Context.Context<never>) => {
    if (derived === undefined || context !== from) derived = Context.add(from = context, Mark, true)
    return derived
  }
})()

const retrying = Policy.make({ retry: { times: 3 } })

const retry = (): Case => ({
  name: "Retry, nothing fails",
  about:
    "A call that succeeds at once, with three retries allowed. A frame is what Effect keeps of what is to happen " +
    "after the call: one hears of a failure, the other puts the context back that tells which attempt it is.",
  candidates: [
    ...floors(hold),
    breakwater(retrying),
    bound("an effect that suspends once", () => Effect.suspend(() => work)),
    bound("Effect, one frame", () => Effect.catchCause(work, Effect.failCause)),
    bound(
      "Effect, both frames",
      () => Effect.catchCause(Effect.updateContext(work, mark), Effect.failCause)
    ),
    ofEffect(peer("Effect"), Effect.succeed(() => Effect.retry(work, { schedule, times: 3 }))),
    cockatiel("cockatiel", Cockatiel.retry(Cockatiel.handleAll, { maxAttempts: 3 }))
  ],
  goals: [{ of: "Breakwater", atMost: 1.5, against: "an effect that suspends once" }]
})

const around = (name: string, call: Effect.Effect<void>): ReadonlyArray<Candidate> => [
  ofEffect(
    { name: `Breakwater, ${name}`, role: "ours", against: name },
    Effect.succeed(() => Policy.apply(call, retrying, read))
  ),
  bound(name, () => call),
  ofEffect(
    { name: `Effect, ${name}`, role: "peer", against: name },
    Effect.succeed(() => Effect.retry(call, { schedule, times: 3 }))
  )
]

const TURN = "a turn of the event loop"
const PROMISE = "a settled promise"

const retryOfWait = (): Case => ({
  name: "Retry, nothing fails, around a call that waits",
  about: "The same around calls that suspend their fiber once, as every call to a backend does.",
  candidates: [...floors(), ...around(TURN, Effect.yieldNow), ...around(PROMISE, Effect.promise(promised))],
  goals: [TURN, PROMISE].map((against) => ({ of: `Breakwater, ${against}`, atMost: 1.5, against }))
})

const byHand = Effect.gen(function*() {
  const breaker = yield* effectBreaker
  const semaphore = yield* Semaphore.make(10)
  return () =>
    Effect.timeout(work, "1 second").pipe(
      semaphore.withPermits(1),
      breaker.execute({ key: "bench" }),
      Effect.retry({ schedule, times: 3 })
    )
})

const makeFour = () => Policy.make({ timeout: "1 second", retry: { times: 3 }, breaker: {}, bulkhead: { permits: 10 } })

const four = (): Case => ({
  name: "Timeout, retry, breaker and bulkhead",
  about: "A call that succeeds at once, through all four.",
  candidates: [
    ...floors(hold),
    breakwater(makeFour()),
    ofEffect(peer("Effect, by hand"), byHand),
    cockatiel(
      "cockatiel",
      Cockatiel.wrap(
        Cockatiel.retry(Cockatiel.handleAll, { maxAttempts: 3 }),
        cockatielBreaker(counting()),
        Cockatiel.bulkhead(10),
        Cockatiel.timeout(1000, Cockatiel.TimeoutStrategy.Aggressive)
      )
    )
  ],
  goals: [{ of: "Breakwater", atMost: 0.3, against: "cockatiel" }]
})

/** Calls between two readings; an exporter that reads every ten seconds does it after a million or so. */
const READ_EVERY = 10_000

const shown = Effect.gen(function*() {
  const policy = makeFour()
  yield* Policy.metrics(policy)
  const call = Policy.apply(work, policy, read)
  let calls = 0
  return () => ++calls % READ_EVERY === 0 ? Effect.andThen(Metric.snapshot, call) : Policy.apply(work, policy, read)
})

const heard = Effect.gen(function*() {
  const policy = makeFour()
  yield* Effect.forkScoped(Stream.runDrain(Policy.events(policy)), { startImmediately: true })
  return () => Policy.apply(work, policy, read)
})

const metrics = (): Case => ({
  name: "Metrics",
  about: `The same four, with what they count shown as metrics that are read every ${READ_EVERY} calls; and with ` +
    "somebody who listens to their events, of which there are none.",
  candidates: [
    ...floors(hold),
    breakwater(makeFour()),
    ofEffect({ name: "Breakwater, metrics on", role: "ours", against: ours.name }, shown),
    ofEffect({ name: "Breakwater, events heard", role: "ours", against: ours.name }, heard)
  ],
  goals: [{ of: "Breakwater, metrics on", atMost: 1.25, against: ours.name }]
})

/** A statement that the circuit lets nobody send. */
const refusedStatement = Effect.gen(function*() {
  const { sql } = yield* Postgres.make({
    name: "bench",
    url: Redacted.make("postgres://bench@127.0.0.1:1/bench"),
    pool: { start: "lazy" },
    policy: { breaker: { mode: "forcedOpen" } }
  })
  const statement = sql`select 1`
  return () => Effect.ignore(statement)
})

const sqlError = (): Case => ({
  name: "Open breaker of a database",
  about:
    "A statement that is rejected without being tried. Its `SqlError` is made once for all callers: making one costs " +
    "what the row below says.",
  candidates: [
    ...floors(hold),
    ofEffect(ours, refusedStatement),
    bound(
      "Effect, a new SqlError and its handling",
      () =>
        Effect.ignore(
          Effect.suspend(() =>
            Effect.fail(new SqlError({ reason: new ConnectionError({ cause: undefined, operation: "acquire" }) }))
          )
        )
    )
  ],
  goals: [{ of: "Breakwater", atMost: 1, against: "Effect, a new SqlError and its handling" }]
})

export const policy: Group = {
  name: "policy",
  cases: Effect.sync(() =>
    [closed(), open(), retry(), retryOfWait(), four(), metrics(), sqlError()].map((one) => ({ ...one, time: "cpu" }))
  )
}
