import { Distribution, SimulatedServer, Simulation, Traffic } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Random } from "effect"

const seed = 7
const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const draw = (distribution: Distribution.Distribution, count = 20_001): ReadonlyArray<number> =>
  Simulation.run(
    Effect.map(Random.Random, (random) =>
      Array.from({ length: count }, () => distribution(() => random.nextDoubleUnsafe()))),
    { seed }
  )
const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

describe("Simulation", () => {
  it("goes on to the next sleep as soon as nothing is left to do", () => {
    const order: Array<string> = []
    const say = (after: number, what: string) =>
      Effect.andThen(Effect.sleep(after), Effect.sync(() => order.push(what)))
    const program = Effect.all([say(3_600_000, "hour"), say(10, "soon"), say(10, "as soon"), say(0, "now")], {
      concurrency: "unbounded"
    })
    Simulation.run(program, { seed })
    assert.deepStrictEqual(order, ["now", "soon", "as soon", "hour"])
  })

  it("never does what was cancelled before its time", () => {
    const program = Effect.gen(function*() {
      const time = yield* Simulation.time
      const done: Array<string> = []
      const cancel = time.after(10, () => done.push("cancelled"))
      time.after(5, cancel)
      const fiber = yield* Effect.forkChild(Effect.andThen(Effect.sleep(10), Effect.sync(() => done.push("fiber"))))
      time.after(5, () => fiber.interruptUnsafe())
      time.after(10, () => done.push("kept"))
      yield* Effect.sleep(100)
      return done
    })
    assert.deepStrictEqual(Simulation.run(program, { seed }), ["kept"])
  })

  it("gives the same run for the same seed and another one for another", () => {
    const program = Effect.gen(function*() {
      const server = yield* SimulatedServer.make({ threads: 2, serviceTime: () => Distribution.exponential(20) })
      return yield* Traffic.poisson({ rate: () => 90, peak: 90, seconds: 5, call: () => server.call })
    })
    const samples = Simulation.run(program, { seed: 1 })
    assert.deepStrictEqual(Simulation.run(program, { seed: 1 }), samples)
    assert.notDeepEqual(Simulation.run(program, { seed: 2 }), samples)
  })

  it("says that a program waits for the world outside, instead of hanging", () => {
    assert.throws(
      () => Simulation.run(Effect.promise(() => new Promise(() => {})), { seed }),
      /outside of the simulation/
    )
  })

  it("fails with what the program fails with", () => {
    assert.throws(() => Simulation.run(Effect.fail(new Error("no")), { seed }), /^no$/)
    const exit = Simulation.runExit(Effect.interrupt, { seed })
    assert.isTrue(exit._tag === "Failure" && Cause.hasInterrupts(exit.cause))
  })
})

describe("Distribution", () => {
  it("has the mean or the median that it was given", () => {
    assert.closeTo(mean(draw(Distribution.exponential(20))), 20, 1)
    assert.closeTo(mean(draw(Distribution.uniform(10, 30))), 20, 1)
    assert.closeTo(mean(draw(Distribution.normal(20, 2))), 20, 1)
    assert.closeTo(median(draw(Distribution.logNormal(20, 1))), 20, 1)
    assert.closeTo(mean(draw(Distribution.logNormalOfMean(20, 0.5))), 20, 1)
    const mixed = Distribution.mixture([99, Distribution.constant(10)], [1, Distribution.constant(1010)])
    assert.closeTo(mean(draw(mixed)), 20, 3)
    assert.deepStrictEqual(draw(Distribution.plus(Distribution.constant(1), Distribution.constant(2)), 2), [3, 3])
  })
})

describe("SimulatedServer", () => {
  const all = (server: SimulatedServer.SimulatedServer, count: number) =>
    Effect.all(Array.from({ length: count }, () => Effect.exit(server.call)), { concurrency: "unbounded" })

  it("works on as many requests as it has threads, in the order in which they came", () => {
    const program = Effect.gen(function*() {
      const server = yield* SimulatedServer.make({ threads: 2, serviceTime: () => Distribution.constant(10) })
      yield* all(server, 5)
      return [(yield* Simulation.time).now, server.requests, server.running, server.waiting]
    })
    assert.deepStrictEqual(Simulation.run(program, { seed }), [30, 5, 0, 0])
  })

  it("refuses what its queue has no room for, and everything while it is down", () => {
    const program = Effect.gen(function*() {
      const server = yield* SimulatedServer.make({ threads: 1, queue: 1, serviceTime: () => Distribution.constant(10) })
      const exits = yield* all(server, 3)
      server.down = true
      return [...exits, ...(yield* all(server, 1))].map((exit) =>
        exit._tag === "Success" ? "ok" : exit.cause.reasons.map((one) => one._tag === "Fail" && one.error.why).join()
      )
    })
    assert.deepStrictEqual(Simulation.run(program, { seed }), ["ok", "ok", "queueFull", "down"])
  })

  it.each([[false, 1], [true, 0]])(
    "when it cancels is %s, a caller that has gone keeps %i threads busy",
    (cancels, busy) => {
      const program = Effect.gen(function*() {
        const server = yield* SimulatedServer.make({
          threads: 1,
          cancels,
          serviceTime: () => Distribution.constant(10)
        })
        yield* Effect.timeoutOption(server.call, 5)
        return server.running
      })
      assert.strictEqual(Simulation.run(program, { seed }), busy)
    }
  )

  it("fails the share of requests that it is told to", () => {
    const program = Effect.gen(function*() {
      const server = yield* SimulatedServer.make({ serviceTime: () => Distribution.constant(1) })
      server.failureShare = 0.25
      return (yield* all(server, 4000)).filter((exit) => exit._tag === "Failure").length / 4000
    })
    assert.closeTo(Simulation.run(program, { seed }), 0.25, 0.03)
  })

  it("is slower the more it has to do, where its service time says so", () => {
    const program = Effect.gen(function*() {
      const server = yield* SimulatedServer.make({ serviceTime: (running) => Distribution.constant(10 * running) })
      yield* all(server, 3)
      return (yield* Simulation.time).now
    })
    assert.strictEqual(Simulation.run(program, { seed }), 30)
  })
})

describe("Traffic", () => {
  const samples = (rate: (seconds: number) => number) =>
    Simulation.run(
      Traffic.poisson({
        rate,
        peak: 100,
        seconds: 20,
        call: (n) => Effect.andThen(Effect.sleep(n % 10), n % 4 === 0 ? Effect.fail({ _tag: "No" }) : Effect.void)
      }),
      { seed }
    )

  it("comes at the rate of the moment", () => {
    const all = samples((seconds) => seconds < 10 ? 100 : 20)
    assert.closeTo(Traffic.between(all, 0, 10).length / 10, 100, 10)
    assert.closeTo(Traffic.between(all, 10, 20).length / 10, 20, 5)
  })

  it("tells how each call ended, and how long it took", () => {
    const all = samples(() => 100)
    assert.deepStrictEqual(new Set(all.map((one) => one.label)), new Set(["ok", "No"]))
    assert.closeTo(Traffic.goodput(all, 0, 20), 75, 8)
    assert.closeTo(Traffic.percentile(all, 1), 9, 0.001)
    assert.closeTo(Traffic.percentile(all, 0), 0, 0.001)
    assert.isNaN(Traffic.percentile([], 0.5))
  })
})
