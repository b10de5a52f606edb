/** Results as tables, and as sections of `docs/benchmarks.md`, of which a run replaces its own only. */
import type { Machine } from "./machine.ts"
import type { Result, Row, TrialRow } from "./measure.ts"

export interface Report {
  readonly group: string
  readonly machine: Machine
  readonly results: ReadonlyArray<Result>
}

const threeDigits = (value: number): string =>
  value !== 0 && Math.abs(value) < 100 ? String(Number(value.toPrecision(3))) : Math.round(value).toLocaleString("en")

const time = (nanos: number): string =>
  Math.abs(nanos) < 1000
    ? `${threeDigits(nanos)} ns`
    : nanos < 1e6
    ? `${threeDigits(nanos / 1e3)} µs`
    : millis(nanos / 1e6)

const millis = (value: number): string => `${threeDigits(value)} ms`

const percent = (share: number): string => `${Math.round(share * 100)} %`

/** Padded, as a formatter of Markdown would leave it. The first column is text, the others are numbers. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = head.map((title, column) => Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>) =>
    `| ${cells.map((cell, n) => n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)).join(" | ")} |`
  const rule = `| ${widths.map((width, n) => n === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`).join(" | ")} |`
  return [line(head), rule, ...rows.map(line)].join("\n")
}

const ratio = (row: Row, invert: boolean): string => {
  if (row.ratio === undefined) return ""
  const value = invert ? 1 / row.ratio : row.ratio
  return value < 0.01 ? String(Number(value.toPrecision(1))) : value.toFixed(2)
}

type Costs = Exclude<Result["shows"], "figures">

const heads: Record<Costs, ReadonlyArray<string>> = {
  cost: ["", "an operation", "ratio", "spread"],
  throughput: ["", "operations a second", "ratio", "spread"],
  latency: ["", "mean", "median", "p95", "p99", "operations a second", "ratio", "spread"]
}

const cells = (row: Row, shows: Costs): ReadonlyArray<string> => {
  const last = [ratio(row, shows !== "cost"), percent(row.spread)]
  if (shows === "cost") return [row.name, time(row.nanos), ...last]
  const { latency } = row
  const spread = latency === undefined ? [] : [latency.mean, latency.median, latency.p95, latency.p99].map(millis)
  return [row.name, ...spread, threeDigits(row.perSecond), ...last]
}

const shown = (result: Result) => result.rows.filter((row) => row.role !== "floor")

const trialTable = (trials: ReadonlyArray<TrialRow>): string =>
  table(
    ["", ...(trials[0]?.figures ?? []).map(({ title }) => title)],
    trials.map(({ figures, name }) => [
      name,
      ...figures.map(({ unit, value }) => unit === "ms" ? millis(value) : threeDigits(value))
    ])
  )

export const caseTable = (result: Result): string => {
  const { shows, trials = [] } = result
  return shows === "figures" ? trialTable(trials) : table(heads[shows], shown(result).map((row) => cells(row, shows)))
}

const caseText = (result: Result): string => {
  const goals = result.verdicts.map(({ goal, measured, met }) =>
    `- ${met ? "Met" : "Missed"}: ${goal}. Measured: ${measured}.`
  )
  const parts = [`### ${result.name}`, result.about, caseTable(result), goals.join("\n")]
  return parts.filter((part) => part !== "").join("\n\n")
}

const machineText = (machine: Machine): string => {
  const packages = Object.entries(machine.packages).map(([name, version]) => `${name} ${version}`).join(", ")
  const { cores, cpu, date, load, memoryGiB, runtime, system } = machine
  return [
    `Measured on ${
      date.slice(0, 10)
    } with ${runtime}: ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, load ${load}.`,
    `${packages}.`
  ].join(" ")
}

const titles: Readonly<Record<string, string>> = {
  pool: "Pool",
  dead: "A dead server",
  policy: "Policies",
  backends: "Backends",
  sizes: "Sizes of a pool, and none",
  websocket: "WebSocket connections"
}

const sectionText = ({ group, machine, results }: Report): string => {
  const rounds = `Medians of ${results[0]?.rounds ?? 0} rounds.`
  const title = `## ${titles[group] ?? group}, ${machine.runtime.split(" ")[0]}`
  return [title, `${machineText(machine)} ${rounds}`, ...results.map(caseText)].join("\n\n")
}

const introduction = `# Benchmarks

<!-- Written by \`npm run bench\`: do not edit. -->

What Breakwater costs, beside its peers, in one process and one run. In every round each candidate runs once, in an order
that rotates; a figure is the median of the rounds, and the cost of an empty loop in the same runtime is taken off it.
Candidates of Effect run in one fiber, the others in one loop of promises. Policies wait for nobody and are measured by the
time of the processor, which other processes take nothing of; rows that do a part of the work only say what all of it costs
at least. \`ratio\` is to the best peer of the table, by
the median of the ratios of each round; below 1 is cheaper for a cost, above 1 is more for operations a second. \`spread\`
is the distance between the quartiles over the median. Read ratios, not absolutes, and call a ratio within the spread a
tie.

\`npm run bench -- [pool|dead|policy|backends|sizes|websocket] [--rounds N] [--json FILE] [--on node|bun|deno]\` measures again.`

const opening = (key: string) => `<!-- bench ${key} -->`
const closing = (key: string) => `<!-- end ${key} -->`

const keyOf = ({ group, machine }: Report) => `${group} ${machine.runtime.split(" ")[0]}`

/** The sections of a document, by key, in their order. */
const sectionsOf = (document: string): Map<string, string> =>
  new Map(
    [...document.matchAll(/<!-- bench (.+?) -->\n\n([\s\S]*?)\n\n<!-- end \1 -->/g)].map((
      [, key = "", text = ""]
    ) => [key, text])
  )

/** The document with the section of this report in place of its former one. */
export const replaceSection = (document: string, report: Report): string => {
  const sections = sectionsOf(document).set(keyOf(report), sectionText(report))
  const groups = Object.keys(titles)
  const place = (key: string) => groups.indexOf(key.split(" ")[0] ?? "")
  const ordered = [...sections].toSorted(([a], [b]) => place(a) - place(b) || (a < b ? 1 : -1))
  const texts = ordered.map(([key, text]) => `${opening(key)}\n\n${text}\n\n${closing(key)}`)
  return `${[introduction, ...texts].join("\n\n")}\n`
}
