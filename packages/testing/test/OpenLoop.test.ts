import { OpenLoop } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Random } from "effect"
import { TestClock } from "effect/testing"

interface Begun extends OpenLoop.Arrival {
  readonly at: number
}

const note = (into: Array<Begun>) => (arrival: OpenLoop.Arrival) =>
  Effect.map(Clock.currentTimeMillis, (at) => void into.push({ ...arrival, at }))

describe("Calls that come at a rate", () => {
  it.effect("come evenly, phase after phase, each when it is due", () =>
    Effect.gen(function*() {
      const begun: Array<Begun> = []
      const phases = [{ seconds: 1, rate: 4 }, { seconds: 0.5, rate: 10 }]
      const fiber = yield* Effect.forkChild(OpenLoop.run({ phases, call: note(begun) }))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      const first = [0, 250, 500, 750].map((due) => ({ due, phase: 0, at: due }))
      const second = [1000, 1100, 1200, 1300, 1400].map((due) => ({ due, phase: 1, at: due }))
      assert.deepStrictEqual(begun, [...first, ...second])
    }))

  it.effect("do not drift where the gap is no whole number", () =>
    Effect.gen(function*() {
      const begun: Array<Begun> = []
      const fiber = yield* Effect.forkChild(
        OpenLoop.run({ phases: [{ seconds: 300, rate: 3 }], call: note(begun) })
      )
      yield* TestClock.adjust("300 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(begun.length, 900)
      assert.strictEqual(begun.at(-3)?.due, 299_000)
    }))

  it.effect("do not wait for those before them, and are waited for at the end", () =>
    Effect.gen(function*() {
      let [begun, ended] = [0, 0]
      const call = () =>
        Effect.sync(() => begun++).pipe(
          Effect.andThen(Effect.sleep("5 seconds")),
          Effect.andThen(Effect.sync(() => ended++))
        )
      const fiber = yield* Effect.forkChild(OpenLoop.run({ phases: [{ seconds: 1, rate: 10 }], call }))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([begun, ended], [10, 0])
      yield* TestClock.adjust("4 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual([begun, ended], [10, 10])
    }))

  it.effect("know when they were due, however late they are", () =>
    Effect.gen(function*() {
      const begun: Array<Begun> = []
      // A client whose clock stands still for two seconds, as one that collects garbage does.
      const clock = yield* Clock.Clock
      let held = 0
      const stalled: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, {
        currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + held)
      })
      const call = (arrival: OpenLoop.Arrival) =>
        Effect.andThen(
          note(begun)(arrival),
          Effect.sync(() => {
            if (begun.length === 2) held = 2000
          })
        )
      const fiber = yield* Effect.forkChild(
        OpenLoop.run({ phases: [{ seconds: 3, rate: 2 }], call }).pipe(Effect.provideService(Clock.Clock, stalled))
      )
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(begun.map(({ due }) => due), [0, 500, 1000, 1500, 2000, 2500])
      assert.deepStrictEqual(begun.map(({ at, due }) => at - due), [0, 0, 1500, 1000, 500, 0])
    }))

  it.effect("come as a Poisson process, the same one for the same seed", () =>
    Effect.gen(function*() {
      const of = (seed: number) =>
        Effect.gen(function*() {
          const begun: Array<Begun> = []
          const fiber = yield* Effect.forkChild(
            OpenLoop.run({ phases: [{ seconds: 100, rate: 10 }], arrivals: "poisson", call: note(begun) }).pipe(
              Random.withSeed(seed)
            )
          )
          const from = yield* Clock.currentTimeMillis
          // Sums of fractions may end a little later.
          yield* TestClock.adjust("101 seconds")
          yield* Fiber.join(fiber)
          return begun.map(({ due }) => due - from)
        })
      const first = yield* of(7)
      // 1,000 in the mean, with a deviation of 32; gaps of an exponential distribution deviate by their own mean.
      assert.isBelow(Math.abs(first.length - 1000), 130)
      const gaps = first.slice(1).map((due, index) => due - (first[index] ?? 0))
      const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
      const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length)
      assert.isBelow(Math.abs(deviation / mean - 1), 0.1)
      const again = yield* of(7)
      // The clock counts on from where the first run ended, and sums of fractions round as their size says.
      assert.deepStrictEqual(again.map(Math.round), first.map(Math.round))
      assert.notDeepEqual((yield* of(8)).slice(0, 5).map(Math.round), first.slice(0, 5).map(Math.round))
    }))

  it.effect("end early where they are told to, and those under way still end by themselves", () =>
    Effect.gen(function*() {
      let ended = 0
      const call = () => Effect.andThen(Effect.sleep("2 seconds"), Effect.sync(() => ended++))
      const fiber = yield* Effect.forkChild(
        OpenLoop.run({ phases: [{ seconds: Infinity, rate: 4 }], call, until: Effect.sleep("999 millis") })
      )
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(ended, 4)
    }))

  it("are refused at a rate that is none", () => {
    const call = () => Effect.void
    for (const phase of [{ seconds: 0, rate: 1 }, { seconds: 1, rate: 0 }, { seconds: 1, rate: Infinity }]) {
      assert.throws(() => OpenLoop.run({ phases: [phase], call }), RangeError, "allowed are numbers above 0")
    }
  })
})
