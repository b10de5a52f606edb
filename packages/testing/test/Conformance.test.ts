import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Conformance } from "../src/index.ts"
import { breakwater } from "./conformance/breakwater.ts"
import { spoiled } from "./conformance/spoiled.ts"

/** Of a test on a machine that is busy; in milliseconds. */
const PATIENCE = 30_000

const verdictOn = (adapter: Conformance.Adapter, number: number, limit = 10_000) =>
  Effect.map(Conformance.run(adapter, { only: [number], limit }), ({ verdicts: [verdict] }) => verdict!)

/** Knows nothing of the pool's errors. */
const mute: Conformance.Adapter = { ...breakwater, describe: () => ({}) }

describe("a verdict", () => {
  for (const { name, number } of Conformance.behaviours) {
    it.live(`fails a pool that spoils ${number}. ${name}`, () =>
      Effect.gen(function*() {
        const make = spoiled[number]
        const verdict = yield* verdictOn(make === undefined ? mute : { ...breakwater, make }, number)
        assert.strictEqual(verdict.result, "fail", verdict.reason)
        assert.isAbove(verdict.reason.length, 0)
      }), PATIENCE)
  }
})

/** Answers every call in the worst way. */
const answering = (acquire: () => Promise<Conformance.Connection>): Conformance.Pool => ({
  acquire,
  release: () => {},
  invalidate: () => {},
  stats: () => ({ idle: 0, used: 0, waiting: 0 }),
  close: () => new Promise(() => {})
})

const hopeless = (acquire: () => Promise<Conformance.Connection>): Conformance.Adapter => ({
  name: "hopeless",
  make: () => answering(acquire)
})

const results = (adapter: Conformance.Adapter, limit: number) =>
  Effect.map(Conformance.run(adapter, { limit }), ({ verdicts }) => new Set(verdicts.map(({ result }) => result)))

describe("a pool that", () => {
  it.live("never lends fails everything that can be asked of it", () =>
    Effect.gen(function*() {
      const given = yield* results(hopeless(() => new Promise(() => {})), 10_000)
      assert.deepStrictEqual([...given].toSorted(), ["fail", "n/a"])
    }), PATIENCE)

  it.live("throws fails everything that can be asked of it", () =>
    Effect.gen(function*() {
      const throwing = hopeless(() => {
        throw new Error("no")
      })
      assert.isFalse((yield* results(throwing, 10_000)).has("pass"))
    }), PATIENCE)

  it.live("cannot be made says why", () =>
    Effect.gen(function*() {
      const make = () => Promise.reject(new Error("bad option"))
      const { reason, result } = yield* verdictOn({ ...breakwater, make }, 7)
      assert.deepStrictEqual({ reason, result }, { reason: "it threw: bad option", result: "fail" })
    }))

  const forged: Conformance.Connection = { id: 1, isAlive: true, send: async () => "", onLost: () => {} }
  const lends: Record<string, (server: Conformance.Server) => Promise<Conformance.Connection>> = {
    "lends one connection to all who ask": (server) => server.open(),
    "lends what is no connection": () => Promise.resolve(forged)
  }
  for (const [what, lend] of Object.entries(lends)) {
    it.live(`${what} passes nothing for which several borrow`, () =>
      Effect.gen(function*() {
        const make: Conformance.Adapter["make"] = ({ server }) => {
          const lent = lend(server)
          return answering(() => lent)
        }
        const { verdicts } = yield* Conformance.run({ name: "sharing", make }, { only: [5, 6, 8] })
        assert.deepStrictEqual(verdicts.map(({ result }) => result), ["fail", "fail", "fail"])
      }), PATIENCE)
  }

  it.live("turns most callers away does not pass for one that serves them soon", () =>
    Effect.gen(function*() {
      const make: Conformance.Adapter["make"] = (setup) => breakwater.make({ ...setup, maxWaiting: 5 })
      const { reason } = yield* verdictOn({ ...breakwater, make }, 8)
      assert.strictEqual(reason, "40 of 50 requests were not served")
    }), PATIENCE)

  it.live("never comes back from an outage does not pass for one that dials with care", () =>
    Effect.gen(function*() {
      const make: Conformance.Adapter["make"] = (setup) => {
        let refused = false
        const open: Conformance.Server["open"] = async (signal) => {
          if (refused) return new Promise(() => {})
          try {
            return await setup.server.open(signal)
          } catch (error) {
            refused = true
            throw error
          }
        }
        return breakwater.make({ ...setup, server: { ...setup.server, open } })
      }
      const { reason } = yield* verdictOn({ ...breakwater, make }, 9)
      assert.strictEqual(reason, "not every caller was served after an outage")
    }), PATIENCE)

  it.live("refuses in the next tick has refused in the turn in which it was asked", () =>
    Effect.gen(function*() {
      const make: Conformance.Adapter["make"] = async (setup) => {
        const pool = await breakwater.make(setup)
        const acquire: Conformance.Pool["acquire"] = (options) =>
          pool.acquire(options).catch((error: unknown) =>
            new Promise((_, reject) => process.nextTick(() => reject(error)))
          )
        return { ...pool, acquire }
      }
      assert.strictEqual((yield* verdictOn({ ...breakwater, make }, 4)).reason, "")
    }), PATIENCE)

  it.live("goes on working at one instant without end is given up", () =>
    Effect.gen(function*() {
      let left = false
      const spin = () => {
        if (!left) setImmediate(spin)
        clearTimeout(setTimeout(() => {}, 1))
      }
      const spinning = hopeless(() => {
        spin()
        return new Promise(() => {})
      })
      const verdict = yield* verdictOn(spinning, 7, 500)
      left = true
      assert.strictEqual(verdict.result, "fail")
      assert.match(verdict.reason, /too long|without end/)
    }))

  it.live("throws in a timer of its own fails", () =>
    Effect.gen(function*() {
      const make: Conformance.Adapter["make"] = async (setup) => {
        setTimeout(() => {
          throw new Error("in a timer")
        }, 10)
        return breakwater.make(setup)
      }
      const { reason } = yield* verdictOn({ ...breakwater, make }, 7)
      assert.strictEqual(reason, "it threw outside of any call: in a timer")
    }))
})

const globals = (): Array<unknown> => [
  ...["setTimeout", "setInterval", "clearTimeout", "clearInterval", "Date"].map((name) =>
    Reflect.get(globalThis, name)
  ),
  Reflect.get(performance, "now"),
  Reflect.get(process.hrtime, "bigint"),
  Reflect.get(Math, "random")
]

describe("the kit", () => {
  it.live("gives the clocks and timers back", () =>
    Effect.gen(function*() {
      const before = globals()
      yield* verdictOn(breakwater, 7)
      assert.deepStrictEqual(globals().map((each, n) => each === before[n]), before.map(() => true))
    }))

  it.live("scores one pool at a time, whoever asks", () =>
    Effect.gen(function*() {
      const both = yield* Effect.all([verdictOn(breakwater, 7), verdictOn(breakwater, 8)], { concurrency: 2 })
      assert.deepStrictEqual(both.map(({ result }) => result), ["pass", "pass"])
    }))

  it("names an option that is not allowed, its value and what is", () => {
    assert.throws(() => Conformance.run(breakwater, { limit: 0 }), RangeError, /limit is 0 ms, allowed is more than 0/)
    assert.throws(
      () => Conformance.run(breakwater, { only: [1, 27] }),
      RangeError,
      /only has 27, allowed are .* 1 to 26/
    )
  })

  it("shows who does what as a table", () => {
    const [behaviour] = Conformance.behaviours
    const card: Conformance.Scorecard = {
      name: "mine",
      version: undefined,
      verdicts: [{ behaviour: behaviour!, result: "pass", reason: "" }]
    }
    const lines = Conformance.table([card]).split("\n")
    assert.strictEqual(lines.length, Conformance.behaviours.length + 3)
    assert.match(lines[2]!, /^\| 1 +\| Hard cap +\| pass \|$/)
    assert.match(lines.at(-1)!, /\| passed +\| 1 +\|$/)
  })
})
