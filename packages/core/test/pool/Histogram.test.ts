import { assert, describe, it } from "@effect/vitest"
import { BOUNDS, Histogram } from "../../src/internal/histogram.ts"

describe("the histogram of times", () => {
  const bucketOf = (millis: number) => {
    const histogram = new Histogram()
    histogram.record(millis)
    return histogram.snapshot().counts.indexOf(1)
  }

  it("puts a time into the first bucket whose bound is above it", () => {
    for (const millis of [0, 0.0005, 0.001, 0.0015, 1, 1.5, 999, 1000, 60_000]) {
      const bucket = bucketOf(millis)
      assert.isBelow(millis / 1000, BOUNDS[bucket]!, `${millis}`)
      assert.isAtLeast(millis / 1000, BOUNDS[bucket - 1] ?? 0, `${millis}`)
    }
  })

  it("puts what is beyond the last bound into the last bucket, and what is below zero into the first", () => {
    for (const millis of [3_600_000, 1e12, Infinity]) assert.strictEqual(bucketOf(millis), BOUNDS.length)
    assert.strictEqual(bucketOf(-1), 0)
  })

  it("adds up, in seconds", () => {
    const histogram = new Histogram()
    for (const millis of [250, 500, 1250]) histogram.record(millis)
    const { count, max, min, sum } = histogram.snapshot()
    assert.deepStrictEqual([count, min, max, sum], [3, 0.25, 1.25, 2])
  })

  it("gives a snapshot that later times leave alone", () => {
    const histogram = new Histogram()
    const before = histogram.snapshot()
    assert.deepStrictEqual([before.count, before.min, before.max, before.sum], [0, 0, 0, 0])
    histogram.record(1)
    assert.strictEqual(before.counts.reduce((a, b) => a + b), 0)
  })
})
