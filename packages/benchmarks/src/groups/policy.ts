/** The policies beside cockatiel, opossum and Effect's own. */
import * as Operation from "@breakwater/core/Operation"
import * as Policy from "@breakwater/core/Policy"
import * as Cockatiel from "cockatiel"
import * as Effect from "effect/Effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import Opossum from "opossum"
import { type Candidate, type Case, floors, type Group, ofEffect, ofPromises, type Who } from "../candidate.ts"

const ours = { name: "Breakwater", role: "ours" } as const
const peer = (name: string): Who => ({ name, role: "peer" })

const read = Operation.make("bench.read", { idempotent: true })

const work = Effect.void
const promised = async () => {}
const broken = async () => {
  throw new Error("down")
}

/** Longer than any run. */
const OPEN_MS = 3_600_000

const nothingToClose = async () => {}

const breakwater = <E, Repeats extends boolean>(policy: Policy.Policy<E, Operation.Operation, Repeats>): Candidate =>
  ofEffect(ours, Effect.succeed(() => Policy.apply(work, policy, read)))

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
    ...floors(),
    breakwater(Policy.make({ breaker: {} })),
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

const quietly = (promise: Promise<unknown>) => promise.then(() => {}, () => {})

const open = (): Case => ({
  name: "Open breaker",
  about: "A call that is rejected without being tried, and its rejection handled.",
  candidates: [
    ...floors(),
    ofEffect(ours, openBreaker),
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

const retry = (): Case => ({
  name: "Retry, nothing fails",
  about: "A call that succeeds at once, with three retries allowed.",
  candidates: [
    ...floors(),
    breakwater(Policy.make({ retry: { times: 3 } })),
    ofEffect(peer("Effect"), Effect.succeed(() => Effect.retry(work, { schedule, times: 3 }))),
    ofEffect(peer("an effect that suspends once"), Effect.succeed(() => Effect.suspend(() => work))),
    cockatiel("cockatiel", Cockatiel.retry(Cockatiel.handleAll, { maxAttempts: 3 }))
  ],
  goals: [{ of: "Breakwater", atMost: 1.5, against: "an effect that suspends once" }]
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

const four = (): Case => ({
  name: "Timeout, retry, breaker and bulkhead",
  about: "A call that succeeds at once, through all four.",
  candidates: [
    ...floors(),
    breakwater(Policy.make({ timeout: "1 second", retry: { times: 3 }, breaker: {}, bulkhead: { permits: 10 } })),
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

export const policy: Group = {
  name: "policy",
  cases: Effect.sync(() => [closed(), open(), retry(), four()])
}
