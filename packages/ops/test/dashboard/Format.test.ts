import { assert, describe, it } from "@effect/vitest"
import * as Format from "../../src/internal/dashboard/client/format.ts"

describe("numbers on the page", () => {
  it("have the unit that suits, also where rounding changes it", () => {
    const expected: ReadonlyArray<readonly [number, string]> = [
      [0, "0 ms"],
      [0.02, "0.1 ms"],
      [0.44, "0.4 ms"],
      [3.14, "3.1 ms"],
      [42.4, "42 ms"],
      [999.4, "999 ms"],
      [999.6, "1.0 s"],
      [1234, "1.2 s"],
      [59_940, "59.9 s"],
      [59_960, "1 min 0 s"],
      [125_000, "2 min 5 s"],
      [3_599_600, "1 h 0 min"],
      [11_520_000, "3 h 12 min"],
      [187_200_000, "2 d 4 h"]
    ]
    for (const [millis, text] of expected) assert.strictEqual(Format.duration(millis), text)
  })

  it("are apart by thousands, and words are joined as one speaks", () => {
    assert.strictEqual(Format.count(1_234_567), "1\u202f234\u202f567")
    assert.strictEqual(Format.many(1, "call"), "1 call")
    assert.strictEqual(Format.many(2, "retry", "retries"), "2 retries")
    assert.strictEqual(Format.list(["a", "b", "c"]), "a, b and c")
    assert.strictEqual(Format.words("RetryScheduled"), "Retry scheduled")
    assert.strictEqual(Format.rate(null), "–")
    assert.strictEqual(Format.rate(1.25), "1.3")
  })
})
