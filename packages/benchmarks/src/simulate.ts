/** `npm run simulate -- [ID...] [--seeds 1,2,3] [--json FILE]`: what the policies do in storms, on virtual time. */
import * as fs from "node:fs"
import * as path from "node:path"
import { parseArgs } from "node:util"
import { figuresTable, passed, plotFile, type Run, toJson, toMarkdown } from "./simulations/document.ts"
import { scenarios } from "./simulations/index.ts"
import { draw } from "./simulations/plot.ts"
import { type Scenario, seeds } from "./simulations/scenario.ts"

const docs = path.join(import.meta.dirname, "../../../docs")

class UsageError extends Error {}

const chosen = (ids: ReadonlyArray<string>): ReadonlyArray<Scenario> => {
  const unknown = ids.find((id) => scenarios.every((scenario) => scenario.id !== id))
  if (unknown !== undefined) {
    throw new UsageError(`No scenario ${unknown}. There are: ${scenarios.map(({ id }) => id).join(", ")}`)
  }
  return scenarios.filter(({ id }) => ids.length === 0 || ids.includes(id))
}

const seedsOf = (text: string): ReadonlyArray<number> => {
  const given = text.split(",").map(Number)
  if (given.length <= 100 && given.every((seed) => Number.isSafeInteger(seed) && seed >= 0)) return given
  throw new UsageError(`--seeds is ${text}, allowed are up to 100 whole numbers with commas between them`)
}

const report = (scenario: Scenario, given: ReadonlyArray<number>): Run => {
  const before = performance.now()
  const run: Run = { scenario, figures: given.map((seed) => scenario.run(seed)) }
  const seconds = ((performance.now() - before) / 1000).toFixed(1)
  console.log(`\n${scenario.id}: ${scenario.title} (${seconds} s)\n\n${figuresTable(run)}`)
  return run
}

const write = (runs: ReadonlyArray<Run>, given: ReadonlyArray<number>): void => {
  const folder = path.join(docs, "simulations")
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder)
  for (const { figures, scenario } of runs) {
    for (const [n, plot] of (figures[0]?.series ?? []).entries()) {
      fs.writeFileSync(path.join(folder, plotFile(scenario, n)), draw(plot))
    }
  }
  fs.writeFileSync(path.join(docs, "simulations.md"), toMarkdown(runs, new Date().toISOString().slice(0, 10), given))
}

const main = (): number => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { seeds: { type: "string", default: seeds.join(",") }, json: { type: "string" } }
  })
  const given = seedsOf(values.seeds)
  const runs = chosen(positionals).map((scenario) => report(scenario, given))
  // A part of the scenarios must not replace the document of all.
  if (positionals.length === 0) write(runs, given)
  if (values.json !== undefined) fs.writeFileSync(values.json, `${JSON.stringify(toJson(runs), null, 2)}\n`)
  const failed = runs.filter((run) => !passed(run))
  for (const { scenario } of failed) console.error(`${scenario.id} breaks a bound`)
  return failed.length === 0 ? 0 : 1
}

const isUsage = (error: unknown): error is Error =>
  error instanceof UsageError ||
  (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"))

try {
  process.exitCode = main()
} catch (error) {
  console.error(isUsage(error) ? error.message : error)
  process.exitCode = 1
}
