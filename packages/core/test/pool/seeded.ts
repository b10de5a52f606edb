/** Seeded choices, and the seed in whatever fails: `BREAKWATER_TEST_SEED` repeats a run. */
import { seeded as numbers } from "../../src/internal/seeded.ts"

export const seeded = (seed: number) => {
  const next = numbers(seed)
  const below = (n: number) => Math.floor(next() * n)
  return { next, below, pick: <T>(of: ReadonlyArray<T>): T => of[below(of.length)]! }
}

const given = process.env["BREAKWATER_TEST_SEED"]

export const seed: number = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
