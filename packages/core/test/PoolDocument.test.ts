/** The page on pools says what the sources say, all of it and nothing else. */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as Pool from "../src/pool/Pool.ts"

const read = (path: string): string => fs.readFileSync(new URL(path, import.meta.url), "utf8")

const page = read("../../../docs/10-pools.md")

/** The rows of the table with this head, each with the names in code of its cells. */
const table = (head: string): ReadonlyArray<ReadonlyArray<ReadonlyArray<string>>> => {
  const lines = page.split("\n")
  const from = lines.findIndex((line) => line.startsWith(`| ${head} `)) + 2
  const rows = lines.slice(from, lines.findIndex((line, n) => n > from && !line.startsWith("|")))
  return rows.map((row) =>
    row.split("|").slice(1, -1).map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name))
  )
}

const firstOf = (head: string): ReadonlyArray<string> => table(head).map(([[name = ""] = []]) => name)

const events = read("../src/pool/PoolEvent.ts")

describe("The page on pools", () => {
  it("names every number, in the order that they have", () => {
    assert.deepStrictEqual(firstOf("number"), Object.keys(Pool.emptyStats))
  })

  it("names every event, with what it carries", () => {
    const declared = [...events.matchAll(/_tag: "(\w+)"\n([^}]*)/g)].map(([, tag = "", fields = ""]) => [
      [tag],
      [...fields.matchAll(/readonly (\w+):/g)].map(([, field = ""]) => field)
    ])
    assert.isAbove(declared.length, 0)
    assert.deepStrictEqual(table("event").map(([tag = [], , fields = []]) => [tag, fields]), declared)
  })

  it("names every reason of a close", () => {
    const [, declared = ""] = /export type CloseReason =\n([^]*?)\n\n/.exec(events) ?? []
    assert.sameMembers(
      [...firstOf("close reason")],
      [...declared.matchAll(/"(\w+)"/g)].map(([, reason = ""]) => reason)
    )
  })
})
