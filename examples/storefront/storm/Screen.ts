/** What a person sees: a line a second, then tables. At most 100 columns. */
import type { Stats } from "./Scene.ts"
import type { Tally } from "./Tally.ts"

const columns = [4, 30, 6, 7, 7, 7, 6, 5, 12, 16] as const
const text = new Set([1, 8, 9])

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
  "p50 ms",
  "p99 ms",
  "used",
  "wait",
  "breakers",
  "mostly"
])

/** The reason that most requests failed for. */
const mostly = ({ failures }: Tally): string => {
  const [first] = [...failures].toSorted(([, a], [, b]) => b - a)
  return first?.[0].split(".")[1] ?? ""
}

/** The backends that a breaker lets nobody call. */
const openBreakers = (stats: Stats): string =>
  Object.entries(stats).filter(([, { policy }]) => policy.circuit?.state === "open").map(([name]) => name).join()

export const second = (at: number, what: string, tally: Tally, stats: Stats): string => {
  const pool = Object.values(stats)[0]?.pool
  return lineOf([
    at,
    what,
    tally.requests,
    tally.requests - tally.ok,
    Math.round(tally.percentile(0.5)),
    Math.round(tally.percentile(0.99)),
    pool === undefined ? "-" : `${pool.used}/${pool.max}`,
    pool?.waiting ?? "-",
    openBreakers(stats),
    mostly(tally)
  ])
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
