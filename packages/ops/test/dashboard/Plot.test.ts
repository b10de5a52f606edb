import { assert, describe, it } from "@effect/vitest"
import { area, ceiling, line, runs } from "../../src/internal/dashboard/client/plot.ts"

const box = { width: 100, height: 10, from: 0, to: 10_000, top: 20 }

describe("plots", () => {
  it("place time from left to right and values from the bottom up", () => {
    assert.strictEqual(
      line([{ at: 0, value: 0 }, { at: 5000, value: 20 }, { at: 10_000, value: 10 }], box),
      "M0 10L50 0L100 5"
    )
    assert.strictEqual(area([{ at: 0, value: 10 }, { at: 5000, value: 20 }], box), "M0 10L0 5L50 0L50 10Z")
  })

  it("break their line where nothing was measured or heard, and keep what stands alone in sight", () => {
    const gap = [{ at: 0, value: 0 }, { at: 1000, value: null }, { at: 2000, value: 0 }, { at: 3000, value: 0 }]
    assert.strictEqual(line(gap, box), "M0 10h.1M20 10L30 10")
    const silence = [{ at: 0, value: 0 }, { at: 1000, value: 0 }, { at: 9000, value: 0 }, { at: 10_000, value: 0 }]
    assert.strictEqual(line(silence, box), "M0 10L10 10M90 10L100 10")
  })

  it("have a scale that holds their values and does not follow each of them", () => {
    const seed = 7
    for (let n = 1; n < 2000; n++) {
      const value = ((n * 7919 + seed) % 100_003) / (n % 3 === 0 ? 1 : 97)
      const top = ceiling(value, 5)
      assert.isAtLeast(top, value * 0.999)
      assert.isAtMost(top, Math.max(5, value * 2.5 + 1e-9))
    }
    assert.deepStrictEqual([0, 5, 5.1, 11, 21, 51, Number.NaN].map((value) => ceiling(value, 5)), [
      5,
      5,
      10,
      20,
      50,
      100,
      5
    ])
  })

  it("join seconds of one tone, and leave a hole where nothing was heard", () => {
    const samples = [
      { at: 1000, tone: "calm" },
      { at: 2000, tone: "calm" },
      { at: 3000, tone: "failing" },
      { at: 20_000, tone: "failing" }
    ] as const
    assert.deepStrictEqual(runs(samples), [
      { tone: "calm", from: 0, to: 2000 },
      { tone: "failing", from: 2000, to: 3000 },
      { tone: "failing", from: 19_000, to: 20_000 }
    ])
  })
})
