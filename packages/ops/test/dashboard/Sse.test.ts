import { assert, describe, it } from "@effect/vitest"
import { parser } from "../../src/internal/dashboard/client/sse.ts"

const TEXT =
  "event: stats\r\ndata: {\"a\":1}\r\n\r\n: a comment\n\nevent: events\ndata:one\ndata: two\n\ndata: plain\n\nevent: cut"

const MESSAGES = [
  { event: "stats", data: "{\"a\":1}" },
  { event: "events", data: "one\ntwo" },
  { event: "message", data: "plain" }
]

describe("server-sent events", () => {
  it("are the same however the text is cut", () => {
    for (let size = 1; size <= TEXT.length; size++) {
      const parse = parser()
      const chunks = Array.from(
        { length: Math.ceil(TEXT.length / size) },
        (_, n) => TEXT.slice(n * size, (n + 1) * size)
      )
      assert.deepStrictEqual(chunks.flatMap((chunk) => parse(chunk)), MESSAGES, `in chunks of ${size}`)
    }
  })

  it("that never end are refused, and not kept without bound", () => {
    const parse = parser()
    parse("data: x")
    assert.throws(() => parse("x".repeat(5_000_000)), RangeError)
  })
})
