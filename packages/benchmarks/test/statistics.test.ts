import { assert, describe, it } from "@effect/vitest"
import { mean, median, quantile, rotate, spread } from "../src/statistics.ts"

describe("statistics", () => {
  it("takes the middle one of an odd number of values, whatever their order", () => {
    assert.strictEqual(median([9, 1, 5]), 5)
  })

  it("takes the middle between the two middle ones of an even number", () => {
    assert.strictEqual(median([4, 1, 3, 2]), 2.5)
  })

  it("places a quantile between its neighbours, by their distance", () => {
    assert.strictEqual(quantile([0, 10, 20, 30, 40], 0.95), 38)
    assert.strictEqual(quantile([7], 0.99), 7)
  })

  it("does not change the list it is given", () => {
    const values = [3, 1, 2]
    median(values)
    assert.deepStrictEqual(values, [3, 1, 2])
  })

  it("relates the distance of the quartiles to the median", () => {
    assert.strictEqual(spread([10, 20, 30, 40, 50]), 20 / 30)
  })

  it("divides the sum by the number of values", () => {
    assert.strictEqual(mean([1, 2, 6]), 3)
  })

  it("has nothing to say of no values", () => {
    assert.isNaN(median([]))
    assert.isNaN(mean([]))
  })

  it("brings every candidate into every position within as many rounds as there are candidates", () => {
    const orders = [0, 1, 2].map((round) => rotate(["a", "b", "c"], round))
    for (const position of [0, 1, 2]) {
      assert.sameMembers(orders.map((order) => order[position]), ["a", "b", "c"])
    }
    assert.deepStrictEqual(rotate(["a", "b"], 5), ["b", "a"])
  })
})
