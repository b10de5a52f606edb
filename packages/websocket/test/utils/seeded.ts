/** Choices that a seed repeats (mulberry32). */
export const seeded = (seed: number): { readonly below: (n: number) => number } => {
  let state = seed
  return {
    below: (n) => {
      state = (state + 0x6d2b79f5) | 0
      let t = Math.imul(state ^ (state >>> 15), 1 | state)
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
      return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * n)
    }
  }
}
