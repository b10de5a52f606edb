/** The figures of the scenarios as a table for the terminal, as JSON, and as `docs/simulations.md`. */
import { table } from "../report.ts"
import { allowed, type Bound, type Figures, keeps, type Scenario } from "./scenario.ts"

/** What one scenario came to, a seed each. */
export interface Run {
  readonly scenario: Scenario
  readonly figures: ReadonlyArray<Figures>
}

interface Row {
  readonly measure: string
  readonly least: number
  readonly most: number
  readonly bound: Bound | undefined
  readonly pass: boolean
}

const rowsOf = ({ figures }: Run): ReadonlyArray<Row> =>
  Object.keys(figures[0]?.measures ?? {}).map((measure) => {
    const values = figures.map((one) => one.measures[measure] ?? NaN)
    const bound = figures[0]?.bounds.find((one) => one.measure === measure)
    const pass = bound === undefined || values.every((value) => keeps(value, bound))
    return { measure, least: Math.min(...values), most: Math.max(...values), bound, pass }
  })

/** Of all seeds the value that comes closest to its bound, or breaks it most. */
const worst = ({ bound, least, most }: Row): number => bound?.atMost === undefined ? least : most

const digits = (value: number): string => String(Number(value.toPrecision(3)))

const rangeOf = ({ least, most }: Row): string => {
  const [from, to] = [digits(least), digits(most)]
  return from === to ? from : `${from} to ${to}`
}

export const passed = (run: Run): boolean => rowsOf(run).every(({ pass }) => pass)

export const figuresTable = (run: Run): string =>
  table(
    ["", "measured", "allowed", ""],
    rowsOf(run).map((row) => [
      row.measure,
      rangeOf(row),
      row.bound === undefined ? "" : allowed(row.bound),
      row.bound === undefined ? "" : row.pass ? "kept" : "broken"
    ])
  )

/** `{ "<id>": { "<measure>": value, "bound": { "<measure>": { "atMost": … } }, "pass": true } }` */
export const toJson = (runs: ReadonlyArray<Run>): Record<string, Record<string, unknown>> =>
  Object.fromEntries(runs.map((run) => {
    const rows = rowsOf(run)
    const bound = Object.fromEntries(rows.flatMap((row) => {
      if (row.bound === undefined) return []
      const { measure, ...limits } = row.bound
      return [[measure, limits]]
    }))
    return [run.scenario.id, {
      ...Object.fromEntries(rows.map((row) => [row.measure, worst(row)])),
      bound,
      pass: passed(run)
    }]
  }))

/** The file name of a scenario's `n`th plot. */
export const plotFile = ({ id }: Scenario, n: number): string => `${id.toLowerCase()}-${n + 1}.svg`

const sectionOf = (run: Run): string => {
  const { id, source, title } = run.scenario
  const plots = (run.figures[0]?.series ?? []).map((plot, n) =>
    `![${plot.title}](simulations/${plotFile(run.scenario, n)})`
  )
  return [`## ${id}: ${title}`, source, figuresTable(run), ...plots].join("\n\n")
}

const introduction = (date: string, seeds: ReadonlyArray<number>): string =>
  `# Simulations

<!-- Written by \`npm run simulate\`: do not edit. -->

What the policies do in storms, on virtual time, with their default settings. Each scenario runs with the seeds
${seeds.join(", ")}; where they differ the range is shown, and a bound must hold for all of them. Every scenario also
measures the storm without the policy. The tests assert the same bounds.

\`npm run simulate -- [ID...] [--seeds 1,2,3] [--json FILE]\` runs them again. Last run on ${date}.`

export const toMarkdown = (runs: ReadonlyArray<Run>, date: string, seeds: ReadonlyArray<number>): string =>
  `${[introduction(date, seeds), ...runs.map(sectionOf)].join("\n\n")}\n`
