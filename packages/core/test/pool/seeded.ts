/** Seeded choices, and the seed in whatever fails: `BREAKWATER_TEST_SEED` repeats a run. */

/** Mulberry32. */
export const seeded = (seed: number) => {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (n: number) => Math.floor(next() * n)
  return { next, below, pick: <T>(of: ReadonlyArray<T>): T => of[below(of.length)]! }
}

const given = process.env["BREAKWATER_TEST_SEED"]

export const seed: number = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
