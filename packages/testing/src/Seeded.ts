/**
 * Choices at random that a seed repeats: a test that names its seed when it fails can be run again with the same.
 *
 * @since 0.1.0
 */

const given = process.env["BREAKWATER_TEST_SEED"]

/**
 * The seed of this run: that of the variable `BREAKWATER_TEST_SEED`, else another one each time.
 *
 * @since 0.1.0
 * @category getters
 */
export const seed: number = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)

/**
 * Numbers in [0, 1), the same for the same seed: Mulberry32.
 *
 * @since 0.1.0
 * @category constructors
 */
export const numbers = (from: number): () => number => {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
