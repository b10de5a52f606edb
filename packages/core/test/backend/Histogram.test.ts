import { assert, describe, it } from "@effect/vitest"
import * as Histogram from "../../src/backend/Histogram.ts"
import { seed, seeded } from "../pool/seeded.ts"

describe("a histogram", () => {
  it("puts a time into the first bucket whose bound is not below it", () => {
    const histogram = Histogram.make([0.01, 0.1, 1])
    for (const millis of [1, 10, 11, 100, 1000, 1001, 5000]) histogram.record(millis)
    const { count, counts, max, min, sum } = histogram.snapshot()
    assert.deepStrictEqual([counts, count, min, max], [[2, 2, 1, 2], 7, 0.001, 5])
    assert.approximately(sum, 7.123, 1e-9)
  })

  it("tells quantiles that are in the bucket of the true one, and never outside of what was recorded", () => {
    const { next } = seeded(seed)
    for (let round = 0; round < 200; round++) {
      const histogram = Histogram.make()
      const times = Array.from({ length: 1 + Math.floor(next() * 50) }, () => 10 ** (next() * 6 - 3)).toSorted((a, b) =>
        a - b
      )
      for (const millis of times) histogram.record(millis)
      const snapshot = histogram.snapshot()
      for (const share of [0.01, 0.5, 0.95, 0.99, 1]) {
        const truth = times[Math.max(0, Math.ceil(share * times.length) - 1)]! / 1000
        const told = Histogram.quantile(snapshot, share) ?? assert.fail("nothing was told")
        assert.isAtLeast(told, truth / 2 - 1e-12, `share ${share}, seed ${seed}`)
        assert.isAtMost(told, truth * 2 + 1e-12, `share ${share}, seed ${seed}`)
        assert.isAtLeast(told, snapshot.min)
        assert.isAtMost(told, snapshot.max)
      }
    }
    assert.isUndefined(Histogram.quantile(Histogram.make().snapshot(), 0.5))
  })

  it("is added up over several, and taken apart by time", () => {
    const a = Histogram.make([1, 2])
    const b = Histogram.make([1, 2])
    a.record(500)
    b.record(1500)
    const before = b.snapshot()
    b.record(9000)
    const sum = Histogram.sum([a.snapshot(), b.snapshot()])
    assert.deepStrictEqual(sum, { bounds: [1, 2], counts: [1, 1, 1], count: 3, sum: 11, min: 0.5, max: 9 })
    assert.deepInclude(Histogram.since(before, b.snapshot()), { counts: [0, 0, 1], count: 1, sum: 9 })
    assert.isUndefined(Histogram.sum([]))
  })

  it("is shown in fewer buckets without losing a time", () => {
    const histogram = Histogram.make(Histogram.operationBounds)
    for (const millis of [0.5, 4, 30, 1500, 30_000]) histogram.record(millis)
    const { buckets, count } = Histogram.toMetric(histogram.snapshot(), [0.001, 0.01, 2])
    assert.deepStrictEqual([buckets, count], [[[0.001, 1], [0.01, 2], [2, 4]], 5])
    assert.deepStrictEqual(Histogram.toMetric(undefined, [1]).buckets, [[1, 0]])
  })
})
