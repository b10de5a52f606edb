/**
 * The pool against a model of it that is too simple to be wrong, through random sequences of everything that can
 * happen, with borrows that stop at any operation, go on, or are interrupted there. `BREAKWATER_MODEL_RUNS` says how
 * many sequences, `BREAKWATER_MODEL_SEED` which ones.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { failureOf, OPERATIONS, parkedAt, sequence } from "./model/search.ts"

const given = (name: string): number | undefined => {
  const value = process.env[name]
  if (value === undefined) return undefined
  if (/^[1-9][0-9]{0,9}$/.test(value)) return Number(value)
  throw new RangeError(`${name} is ${JSON.stringify(value)}; allowed is a whole number from 1 to 9999999999.`)
}

const runs = given("BREAKWATER_MODEL_RUNS") ?? 10_000
const seed = given("BREAKWATER_MODEL_SEED") ?? Math.floor(Math.random() * 2 ** 31)

/** Of which every one is run once for each operation. */
const PARKED = Math.min(runs, 50)

const check = (one: number, found = sequence(one)): void => {
  const failure = failureOf(found)
  if (failure !== undefined) assert.fail(`${failure}\nBREAKWATER_MODEL_SEED=${one} BREAKWATER_MODEL_RUNS=1 repeats it.`)
}

/** So often the runner hears that the test still runs. */
const BREATH = 100

describe("the model", () => {
  it.live(
    `says what the pool does, after every step of ${runs} random sequences from seed ${seed}`,
    () =>
      Effect.gen(function*() {
        for (let one = seed; one < seed + runs; one++) {
          check(one)
          if (one % BREATH === 0) yield* Effect.yieldNow
        }
      }),
    Infinity
  )

  it.live(
    `says it too when all borrows stop at one operation, whichever, in ${PARKED} sequences from seed ${seed}`,
    () =>
      Effect.gen(function*() {
        for (let one = seed; one < seed + PARKED; one++) {
          for (let operation = 0; operation < OPERATIONS; operation++) check(one, parkedAt(operation, sequence(one)))
          yield* Effect.yieldNow
        }
      }),
    Infinity
  )
})
