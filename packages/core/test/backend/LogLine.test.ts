import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import * as LogLine from "../../src/backend/LogLine.ts"

describe("What a line of the log says", () => {
  it("is pairs, in the order given, without what is undefined", () => {
    const facts = { max: 50, wait: Duration.seconds(90), dial: undefined, half: Duration.millis(1500), prepare: false }
    assert.strictEqual(LogLine.pairs(facts), "max=50 wait=1m30s half=1s500ms prepare=false")
    assert.strictEqual(LogLine.pairs({}), "")
  })

  it("is in quotes where it would not end where it ends, and never begins a line of its own", () => {
    const values = ["db:5432/shop", "", "two words", "a=b", "say \"no\"", "back\\slash", "line\nmax=1\r", "\u001b[2J"]
    assert.strictEqual(
      values.map((value) => LogLine.pairs({ x: value })).join(" | "),
      String
        .raw`x=db:5432/shop | x="" | x="two words" | x="a=b" | x="say \"no\"" | x="back\\slash" | x="line\nmax=1\r" | x="\u001b[2J"`
    )
    assert.strictEqual(LogLine.subject("redis", "cache\n\"2\""), String.raw`redis "cache\n\"2\""`)
  })

  it("is nothing where it is the usual", () => {
    assert.deepStrictEqual([LogLine.unless(3, 3), LogLine.unless("lazy", "background")], [undefined, "lazy"])
  })
})
