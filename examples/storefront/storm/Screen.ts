/** What a person sees: a line a second, then tables. At most 80 columns, those of a terminal that nobody has resized. */
import type { Stats } from "./Scene.ts"
import type { Tally } from "./Tally.ts"

const WIDTH = 80

const columns = [3, 27, 6, 7, 6, 6, 10, 15] as const
const text = new Set([1, 7])

const lineOf = (cells: ReadonlyArray<string | number>): string =>
  cells.map((cell, index) => {
    const width = columns[index] ?? 0
    return text.has(index) ? `  ${String(cell).slice(0, width - 2).padEnd(width - 2)}` : String(cell).padStart(width)
  }).join("").trimEnd()

export const header = lineOf([
  "s",
  "what happens",
  "req/s",
  "failed",
  "p50ms",
  "p99ms",
  "pool+wait",
  "trouble"
])

/** The reason that most requests failed for. */
const mostly = ({ failures }: Tally): string => {
  const [first] = [...failures].toSorted(([, a], [, b]) => b - a)
  return first?.[0].split(".")[1] ?? ""
}

/** The backends that a breaker lets nobody call. */
const openBreakers = (stats: Stats): string => {
  const open = Object.entries(stats).filter(([, { policy }]) => policy.circuit?.state === "open")
  return open.length === 0 ? "" : `open: ${open.map(([name]) => name).join()}`
}

/** The sessions of the database in use, and the callers that wait for one. */
const database = (stats: Stats): string => {
  const pool = Object.values(stats)[0]?.pool
  return pool === undefined ? "-" : `${pool.used}/${pool.max}+${pool.waiting}`
}

export const second = (at: number, what: string, tally: Tally, stats: Stats): string =>
  lineOf([
    at,
    what,
    tally.requests,
    tally.requests - tally.ok,
    Math.round(tally.percentile(0.5)),
    Math.round(tally.percentile(0.99)),
    database(stats),
    mostly(tally) || openBreakers(stats)
  ])

/** Breaks a text between words. */
export const wrap = (long: string): string => {
  const lines = [""]
  for (const word of long.split(" ")) {
    const line = lines.at(-1) ?? ""
    if (line === "") lines[lines.length - 1] = word
    else if (line.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines.join("\n")
}

/** Text to the left, numbers to the right. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | number>>): string => {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => String(row[column] ?? "").length)))
  const format = (row: ReadonlyArray<string | number>) =>
    row.map((cell, column) =>
      column === 0 ? String(cell).padEnd(widths[column] ?? 0) : String(cell).padStart(widths[column] ?? 0)
    ).join("  ")
  return all.map(format).join("\n")
}
