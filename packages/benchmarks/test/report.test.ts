import { assert, describe, it } from "@effect/vitest"
import type { Machine } from "../src/machine.ts"
import { replaceSection, type Report, table } from "../src/report.ts"

const machine = (runtime: string): Machine => ({
  date: "2026-01-02T03:04:05.000Z",
  cpu: "a processor",
  cores: 2,
  memoryGiB: 8,
  system: "Linux",
  runtime,
  load: 0,
  packages: { effect: "4.1.0" }
})

const report = (group: string, about: string, runtime = "node 24.0.0"): Report => ({
  group,
  machine: machine(runtime),
  results: [{ name: "A case", about, shows: "cost", rounds: 9, rows: [], verdicts: [] }]
})

const count = (text: string, part: string) => text.split(part).length - 1

describe("report", () => {
  it("replaces the section of its own group and leaves the others", () => {
    const first = replaceSection(replaceSection("", report("pool", "old words")), report("policy", "policy words"))
    const second = replaceSection(first, report("pool", "new words"))
    assert.notInclude(second, "old words")
    assert.strictEqual(count(second, "new words"), 1)
    assert.strictEqual(count(second, "policy words"), 1)
    assert.isBelow(second.indexOf("new words"), second.indexOf("policy words"))
  })

  it("keeps the section of another runtime", () => {
    const first = replaceSection("", report("pool", "figures of the first"))
    const both = replaceSection(first, report("pool", "figures of the second", "bun 1.4.5"))
    assert.include(both, "figures of the first")
    assert.include(both, "figures of the second")
  })

  it("keeps the groups in one order, whichever was measured first", () => {
    const text = replaceSection(replaceSection("", report("websocket", "of sockets")), report("pool", "of pools"))
    assert.isBelow(text.indexOf("of pools"), text.indexOf("of sockets"))
  })

  it("writes the same document again from the same results", () => {
    const once = replaceSection("", report("pool", "words"))
    assert.strictEqual(replaceSection(once, report("pool", "words")), once)
  })

  it("pads the columns of a table to the same width", () => {
    assert.strictEqual(
      table(["", "a"], [["long name", "1"]]),
      [
        "|           |   a |",
        "| --------- | --: |",
        "| long name |   1 |"
      ].join("\n")
    )
  })
})
