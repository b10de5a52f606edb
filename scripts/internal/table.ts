/** A plain table for a terminal: text to the left, numbers to the right. */
export const table = (header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | number>>): string => {
  const lines = [header, ...rows].map((row) => row.map(String))
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)))
  const numeric = header.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"))
  const format = (line: ReadonlyArray<string>) =>
    line
      .map((cell, column) => numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  return lines.map(format).join("\n")
}

export const seconds = (value: number): number => Math.round(value * 10) / 10
