import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { TestClock } from "effect/testing"
import * as Backends from "../src/backend/Backends.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import { fakeBackend } from "./backend/fakeBackend.ts"
import { seed, seeded } from "./pool/seeded.ts"
import { Down } from "./support/calls.ts"

const read = Operation.make("read", { idempotent: true })

/** With a registry of the test's own. */
const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

/** Every number that is shown, by its name, the policy's, what it is one of, and its unit. */
const shown = Effect.map(Metric.snapshot, (snapshots) => {
  const numbers: Record<string, number> = {}
  for (const { attributes, id, state, type } of snapshots) {
    const { "breakwater.policy.name": name, unit, ...labels } = attributes ?? {}
    const key = [id, name, ...Object.values(labels), unit].join(" ")
    if (type === "Gauge") numbers[key] = Number(state.value)
    if (type === "Counter") numbers[key] = Number(state.count)
  }
  return numbers
})

const countsOf = (name: string, snapshot: Policy.Snapshot): Record<string, number> => ({
  [`breakwater.policy.calls ${name} {call}`]: snapshot.calls,
  [`breakwater.policy.attempts ${name} {attempt}`]: snapshot.attempts,
  [`breakwater.policy.retries ${name} {attempt}`]: snapshot.retries,
  [`breakwater.policy.retries.skipped ${name} {attempt}`]: snapshot.retriesSkipped,
  [`breakwater.policy.retries.exhausted ${name} {call}`]: snapshot.retriesExhausted,
  [`breakwater.policy.budget.refused ${name} {attempt}`]: snapshot.overBudget,
  [`breakwater.policy.hedges ${name} {attempt}`]: snapshot.hedges,
  [`breakwater.policy.hedges.won ${name} {attempt}`]: snapshot.hedgesWon,
  [`breakwater.policy.hedges.skipped ${name} {call}`]: snapshot.hedgesSkipped,
  [`breakwater.policy.circuit.opened ${name} {event}`]: snapshot.circuitOpened,
  [`breakwater.policy.recoveries ${name} {event}`]: snapshot.recoveries,
  [`breakwater.policy.faults ${name} {attempt}`]: snapshot.faultsInjected,
  [`breakwater.policy.errors ${name} AttemptTimeout {error}`]: snapshot.attemptTimeouts,
  [`breakwater.policy.errors ${name} DeadlineExceeded {error}`]: snapshot.deadlinesExceeded,
  [`breakwater.policy.errors ${name} CircuitOpen {error}`]: snapshot.circuitRejected,
  [`breakwater.policy.errors ${name} BulkheadFull {error}`]: snapshot.bulkheadRefused,
  [`breakwater.policy.errors ${name} LimitExceeded {error}`]: snapshot.limitRefused,
  [`breakwater.policy.errors ${name} Throttled {error}`]: snapshot.throttled,
  [`breakwater.policy.errors ${name} RateLimited {error}`]: snapshot.rateLimited
})

const circuitOf = (name: string, state: string | undefined): Record<string, number> => ({
  [`breakwater.policy.circuit.state ${name} closed {circuit}`]: state === "closed" ? 1 : 0,
  [`breakwater.policy.circuit.state ${name} half_open {circuit}`]: state === "half-open" ? 1 : 0,
  [`breakwater.policy.circuit.state ${name} open {circuit}`]: state === "open" ? 1 : 0
})

const namesOf = (numbers: Record<string, number>) =>
  Object.keys(numbers).filter((key) => key.startsWith("breakwater.policy.calls")).map((key) => key.split(" ")[1])

describe("the metrics of a policy", () => {
  it.effect("are its snapshot at every step of a random run", () =>
    isolated(Effect.gen(function*() {
      const random = seeded(seed)
      const policy = Policy.make({
        name: "orders",
        deadline: "200 millis",
        timeout: "50 millis",
        retry: { times: 2 },
        breaker: { window: 10, minimumCalls: 5, openFor: "50 millis" },
        bulkhead: { permits: 3, queue: 1 }
      })
      yield* Policy.metrics(policy)
      const call = Effect.suspend(() => {
        const draw = random.next()
        const outcome = draw < 0.5 ? Outcome.success : draw < 0.8 ? Outcome.failure("no") : Outcome.overload("no")
        const ending = outcome._tag === "Success" ? Effect.void : Effect.fail(new Down({ outcome }))
        return Effect.andThen(Effect.sleep(random.below(80)), ending)
      })
      const states = new Set<string | undefined>()
      for (let step = 0; step < 300; step++) {
        for (let burst = random.below(4); burst > 0; burst--) {
          yield* Effect.forkChild(Effect.exit(Policy.apply(call, policy, read)), { startImmediately: true })
        }
        yield* TestClock.adjust(random.below(30))
        const snapshot = Policy.snapshot(policy)
        states.add(snapshot.circuit?.state)
        assert.deepStrictEqual(yield* shown, {
          ...countsOf("orders", snapshot),
          ...circuitOf("orders", snapshot.circuit?.state),
          "breakwater.policy.concurrency orders running {call}": snapshot.bulkhead?.running ?? NaN,
          "breakwater.policy.concurrency orders waiting {call}": snapshot.bulkhead?.waiting ?? NaN,
          "breakwater.policy.concurrency.max orders {call}": 3,
          "breakwater.policy.budget orders {attempt}": snapshot.retryBudget?.balance ?? NaN
        }, `seed ${seed}, step ${step}`)
      }
      assert.strictEqual(states.size, 3, `seed ${seed}`)
      const { attemptTimeouts, bulkheadRefused, circuitRejected, retries, retriesSkipped } = Policy.snapshot(policy)
      for (const count of [attemptTimeouts, bulkheadRefused, circuitRejected, retries, retriesSkipped]) {
        assert.isAbove(count, 0, `seed ${seed}`)
      }
    })))

  it.effect("show of what stands only what there is, whichever part it is of", () =>
    isolated(Effect.gen(function*() {
      yield* Policy.metrics(Policy.make({
        name: "a",
        adaptiveLimit: { limit: { initial: 7 } },
        rateLimit: { limit: 10 },
        hedge: { after: "250 millis" }
      }))
      yield* Policy.metrics(Policy.make({ name: "b", deadline: "1 second" }))
      const numbers = yield* shown
      const standing = Object.entries(numbers).filter(([key]) =>
        !(key in countsOf("a", Policy.snapshot(Policy.make({})))) && !(key in circuitOf("a", "")) && key.includes(" a ")
      )
      assert.deepStrictEqual(Object.fromEntries(standing), {
        "breakwater.policy.concurrency a running {call}": 0,
        "breakwater.policy.concurrency a waiting {call}": 0,
        "breakwater.policy.concurrency.max a {call}": 7,
        "breakwater.policy.rate_limit.waiting a {call}": 0,
        "breakwater.policy.budget a {attempt}": numbers["breakwater.policy.budget a {attempt}"] ?? NaN,
        "breakwater.policy.hedge.delay a s": 0.25
      })
      assert.deepStrictEqual(
        Object.keys(numbers).filter((key) => key.includes(" b ")).toSorted(),
        [
          ...Object.keys(countsOf("b", Policy.snapshot(Policy.make({})))),
          ...Object.keys(circuitOf("b", ""))
        ].toSorted()
      )
    })))

  it.effect("show what stands also where it comes later, as with a policy for each host", () =>
    isolated(Effect.gen(function*() {
      const none = Policy.snapshot(Policy.make({ name: "a" }))
      const some = Policy.snapshot(Policy.make({ name: "a", bulkhead: { permits: 3 }, retry: { times: 1 } }))
      let now = none
      const standing = Effect.map(
        shown,
        (numbers) => Object.keys(numbers).filter((key) => /concurrency|budget a/.test(key))
      )
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Policy.showMetrics({ name: "a", snapshot: () => now })
        assert.deepStrictEqual(yield* standing, [])
        now = some
        yield* Metric.snapshot
        assert.sameMembers(yield* standing, [
          "breakwater.policy.concurrency a running {call}",
          "breakwater.policy.concurrency a waiting {call}",
          "breakwater.policy.concurrency.max a {call}",
          "breakwater.policy.budget a {attempt}"
        ])
      }))
      assert.deepStrictEqual(yield* shown, {})
    })))

  it.effect("tell policies of one name apart, and go with the scope", () =>
    isolated(Effect.gen(function*() {
      const show = Policy.metrics(Policy.make({ name: "orders", deadline: "1 second" }))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* show
        yield* Effect.scoped(Effect.gen(function*() {
          yield* show
          assert.deepStrictEqual(namesOf(yield* shown), ["orders", "orders#2"])
        }))
        assert.deepStrictEqual(namesOf(yield* shown), ["orders"])
        yield* show
        assert.deepStrictEqual(namesOf(yield* shown), ["orders", "orders#2"])
      }))
      assert.deepStrictEqual(yield* shown, {})
    })))

  it.effect("of a registered backend are shown by it, with its label and kind", () =>
    isolated(Backends.isolated(Effect.gen(function*() {
      const policy = Policy.make({ name: "orders", deadline: "1 second" })
      yield* Effect.scoped(Effect.gen(function*() {
        const backend = yield* fakeBackend("orders")
        yield* Backends.register({ ...backend, kind: "postgres", policy: Effect.sync(() => Policy.snapshot(policy)) })
        yield* Policy.apply(Effect.void, policy, read)
        const calls = (yield* Metric.snapshot).filter(({ id }) => id === "breakwater.policy.calls")
        assert.deepStrictEqual(calls.map(({ attributes, state }) => [attributes, state]), [[
          { "breakwater.policy.name": "orders", "breakwater.backend.kind": "postgres", unit: "{call}" },
          { count: 1, incremental: true }
        ]])
      }))
      assert.notInclude(Object.keys(yield* shown).join(), "breakwater.policy")
    }))))
})
