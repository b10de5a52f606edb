/** What a person sees: a line a second, then tables. At most 100 columns. */
import type { Pools } from "./Scene.ts"
import type { Tally } from "./Tally.ts"

const columns = [5, 40, 8, 8, 8, 9, 6, 6, 6] as const

const lineOf = (cells: ReadonlyArray<string | number>): string =>
  cells.map((cell, index) => {
    const width = columns[index] ?? 0
    return index === 1 ? `  ${String(cell).padEnd(width - 2)}` : String(cell).padStart(width)
  }).join("")

export const header = lineOf(["s", "what happens", "req/s", "failed", "p50 ms", "p99 ms", "used", "idle", "wait"])

export const second = (at: number, what: string, tally: Tally, pools: Pools): string => {
  const [pool] = Object.values(pools)
  return lineOf([
    at,
    what,
    tally.requests,
    tally.requests - tally.ok,
    tally.percentile(0.5),
    tally.percentile(0.99),
    pool === undefined ? "-" : `${pool.used}/${pool.max}`,
    pool?.idle ?? "-",
    pool?.waiting ?? "-"
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
