import { Seeded } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"

const drawn = (seed: number) => {
  const next = Seeded.numbers(seed)
  return Array.from({ length: 1000 }, () => next())
}

describe("Numbers of a seed", () => {
  it("are the same for the same seed, others for another, and all in [0, 1)", () => {
    const numbers = drawn(7)
    assert.deepStrictEqual(drawn(7), numbers)
    assert.notDeepEqual(drawn(8), numbers)
    assert.isTrue(numbers.every((number) => number >= 0 && number < 1))
    const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length
    assert.approximately(mean, 0.5, 0.05)
  })
})
