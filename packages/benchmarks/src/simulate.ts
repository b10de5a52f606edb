/** `npm run simulate -- [ID...] [--seeds 1,2,3] [--json FILE]`: what the policies do in storms, on virtual time. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as CommandLine from "../../../scripts/commandLine.ts"
import { figuresTable, passed, plotFile, type Run, toJson, toMarkdown } from "./simulations/document.ts"
import { scenarios } from "./simulations/index.ts"
import { draw } from "./simulations/plot.ts"
import { type Scenario, seeds } from "./simulations/scenario.ts"

const docs = path.join(import.meta.dirname, "../../../docs")

const seedsOf = (text: string): ReadonlyArray<number> | undefined => {
  const given = text.split(",").map((seed) => seed.trim() === "" ? Number.NaN : Number(seed))
  return given.length <= 100 && given.every((seed) => Number.isSafeInteger(seed) && seed >= 0) ? given : undefined
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

const { operands, values: { json, seeds: given } } = CommandLine.read({
  command: "npm run simulate",
  about: "The policies in storms, on virtual time. All scenarios: writes docs/simulations.md.",
  options: {
    seeds: {
      about: "each scenario once with each",
      value: "N,...",
      absent: seeds,
      fallback: seeds.join(","),
      allowed: "up to 100 whole numbers with commas between them",
      read: seedsOf
    },
    json: CommandLine.output("writes the figures, as JSON")
  },
  operands: { value: "ID", about: "which scenarios; all without", known: scenarios.map(({ id }) => id) },
  example: "A4 --seeds 7"
})

const chosen = scenarios.filter(({ id }) => operands.length === 0 || operands.includes(id))
const runs = chosen.map((scenario) => report(scenario, given))
// A part of the scenarios must not replace the document of all.
if (operands.length === 0) write(runs, given)
if (json !== undefined) fs.writeFileSync(json, `${JSON.stringify(toJson(runs), null, 2)}\n`)
const failed = runs.filter((run) => !passed(run))
for (const { scenario } of failed) console.error(`${scenario.id} breaks a bound`)
process.exitCode = failed.length === 0 ? 0 : 1
