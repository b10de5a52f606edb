/**
 * `npm run conformance -- [POOL...] [--json FILE] [--on node|bun|deno]`: which of the 26 behaviours each pool shows.
 * A run of all pools on Node writes `docs/conformance.md`.
 */
import * as fs from "node:fs"
import { Conformance } from "../packages/testing/src/index.ts"
import * as CommandLine from "./commandLine.ts"
import { main, run } from "./internal/processes.ts"
import { at } from "./internal/repository.ts"
import * as Runtimes from "./internal/runtimes.ts"

/** Ours first. */
const pools = ["breakwater", "effect", "generic-pool", "tarn", "lightning-pool", "pg-pool"] as const

type Name = (typeof pools)[number]

const POOL_LIMIT_SECONDS = 600
/** One behaviour is given up after 20 s by the scorer itself, if it still can. */
const SILENT_SECONDS = 40

interface Scored {
  readonly card: Conformance.Scorecard
  readonly runtime: string
}

/** A line of the scorer's. */
type Line =
  | { readonly runtime: string; readonly version: string }
  | { readonly verdict: Conformance.Verdict }

const linesOf = (stdout: string): Array<Line> =>
  // The lines are written by the scorer beside the adapters; what a pool itself prints is not JSON.
  stdout.split("\n").filter((line) => line.startsWith("{")).map((line): Line => JSON.parse(line))

const count = Conformance.behaviours.length

const score = async (name: Name, runtime: Runtimes.Runtime): Promise<Scored> => {
  const verdicts: Array<Conformance.Verdict> = []
  let about = { runtime: runtime as string, version: "" }
  while (verdicts.length < count) {
    const [program, ...args] = Runtimes.script(runtime, at("packages/testing/test/conformance/score.ts"))
    const result = await run(program, [...args, name, String(verdicts.length + 1)], {
      cwd: at("packages/testing"),
      env: Runtimes.environment(runtime),
      limitSeconds: POOL_LIMIT_SECONDS,
      silentSeconds: SILENT_SECONDS,
      output: "capture"
    })
    const lines = linesOf(result.stdout)
    if (lines.length === 0) throw new Error(`${name} on ${runtime}: ${result.ending}\n${result.output}`)
    for (const line of lines) {
      if ("verdict" in line) verdicts.push(line.verdict)
      else about = line
    }
    const next = Conformance.behaviours[verdicts.length]
    if (next === undefined) break
    verdicts.push({ behaviour: next, result: "fail", reason: `its process was ended: it ${result.ending}` })
  }
  return { card: { name, version: about.version, verdicts }, runtime: about.runtime }
}

const failures = ({ name, verdicts }: Conformance.Scorecard): Array<string> =>
  verdicts.filter(({ result }) => result !== "pass").map(({ behaviour, reason, result }) =>
    `${name} ${behaviour.number} ${behaviour.name}: ${result}: ${reason}`
  )

const inMarkdown = (text: string): string => text.replaceAll(/([*_<>`|[\]])/g, "\\$1")

const explain = (cards: ReadonlyArray<Conformance.Scorecard>, behaviour: Conformance.Behaviour): string => {
  const lines = cards.flatMap(({ name, verdicts }) =>
    verdicts.filter(({ behaviour: { number }, result }) => number === behaviour.number && result !== "pass").map((
      { reason, result }
    ) => `- ${name}: ${result}: ${inMarkdown(reason)}`)
  )
  return [`### ${behaviour.number}. ${behaviour.name}`, behaviour.about, lines.join("\n")].filter((part) => part !== "")
    .join("\n\n")
}

const document = (scored: ReadonlyArray<Scored>): string => {
  const cards = scored.map(({ card }) => card)
  const versions = cards.map(({ name, version }) => `${name} ${version}`).join(", ")
  const date = new Date().toISOString().slice(0, 10)
  return `# Conformance

<!-- Written by \`npm run conformance\`: do not edit. -->

What pools do of what a pool owes those who depend on it: 26 behaviours, each written once and run on every pool through
a small adapter, on virtual time and on a server of the kit's own. \`n/a\`: the pool has nothing that could be asked, such
as one that cannot be paused. [Score your own pool](15-score-your-pool.md) shows how to add one.

Measured on ${date} with ${scored[0]?.runtime}: ${versions}.

\`npm run conformance -- [POOL...] [--json FILE] [--on node|bun|deno]\` measures again; a run of all pools on Node writes
this page.

${Conformance.table(cards)}

## What was demanded, and what was found

${Conformance.behaviours.map((behaviour) => explain(cards, behaviour)).join("\n\n")}
`
}

const summary = (scored: ReadonlyArray<Scored>) => ({
  pools: Object.fromEntries(scored.map(({ card: { name, verdicts } }) => [
    name,
    Object.fromEntries(verdicts.map(({ behaviour, result }) => [behaviour.number, result]))
  ]))
})

const { operands, values: { json, on: runtime } } = CommandLine.read({
  command: "npm run conformance",
  about: `Scores pools by the ${count} behaviours. All of them on Node: writes docs/conformance.md.`,
  options: { json: CommandLine.output("writes the scores, as JSON"), on: Runtimes.option("node") },
  operands: { value: "POOL", about: "which pools; all without", known: pools },
  example: "breakwater generic-pool --on bun"
})

await main(async () => {
  const scored: Array<Scored> = []
  for (const name of pools.filter((pool) => operands.length === 0 || operands.includes(pool))) {
    console.error(`[breakwater] scoring ${name}`)
    scored.push(await score(name, runtime))
  }
  const cards = scored.map(({ card }) => card)
  console.log(`\n${Conformance.table(cards)}\n\n${cards.flatMap(failures).join("\n")}`)
  if (json !== undefined) fs.writeFileSync(json, `${JSON.stringify(summary(scored), null, 2)}\n`)
  if (scored.length === pools.length && runtime === "node") {
    fs.writeFileSync(at("docs/conformance.md"), document(scored))
  }
  const ours = cards.find(({ name }) => name === pools[0])
  return ours === undefined || ours.verdicts.every(({ result }) => result === "pass") ? 0 : 1
})
