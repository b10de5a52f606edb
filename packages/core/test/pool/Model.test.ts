/**
 * The pool against a model of it that is too simple to be wrong, through random sequences of everything that can
 * happen, with borrows that stop at any operation, go on, or are interrupted there. `BREAKWATER_MODEL_RUNS` says how
 * many sequences, `BREAKWATER_MODEL_SEED` which ones.
 */
import { assert, describe, it } from "@effect/vitest"
import { failureOf } from "./model/search.ts"

const given = (name: string): number | undefined => {
  const value = process.env[name]
  return value === undefined ? undefined : Number(value)
}

const runs = given("BREAKWATER_MODEL_RUNS") ?? 10_000
const seed = given("BREAKWATER_MODEL_SEED") ?? Math.floor(Math.random() * 2 ** 31)

describe("the model", () => {
  it(`says what the pool does, after every step of ${runs} random sequences from seed ${seed}`, () => {
    for (let one = 0; one < runs; one++) {
      const failure = failureOf(seed + one)
      if (failure !== undefined) assert.fail(failure)
    }
  }, Infinity)
})
