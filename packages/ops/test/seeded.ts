/** Seeded choices: `BREAKWATER_TEST_SEED` repeats those of a run. */
const given = process.env["BREAKWATER_TEST_SEED"]

export const seed: number = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)

/** Mulberry32: from 0 to 1. */
export const seeded = (from: number) => {
  let state = from
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
