/** `npm run check -- [PART...] [--fix]`: everything that can be said about the sources without running the tests. */
import { pathToFileURL } from "node:url"
import * as Changeset from "./check/changeset.ts"
import * as Dashboard from "./check/dashboard.ts"
import * as Exports from "./check/exports.ts"
import * as Fences from "./check/fences.ts"
import * as Generated from "./check/generated.ts"
import * as Imports from "./check/imports.ts"
import * as Modules from "./check/modules.ts"
import * as CommandLine from "./commandLine.ts"
import { Interrupted, main, run } from "./internal/processes.ts"
import { at, files } from "./internal/repository.ts"
import { seconds, table } from "./internal/table.ts"

const TOOL_LIMIT_SECONDS = 300

interface Verdict {
  readonly state: "passed" | "failed" | "skipped"
  readonly about?: string | undefined
}

const passed: Verdict = { state: "passed" }

/** Runs a tool that explains itself on the terminal. */
const tool = async (program: string, args: ReadonlyArray<string>, env = process.env): Promise<Verdict> => {
  const result = await run(program, args, { cwd: at(), env, limitSeconds: TOOL_LIMIT_SECONDS, output: "tee" })
  return result.ok ? passed : { state: "failed", about: result.ending }
}

const nodeTool = (file: string, ...args: ReadonlyArray<string>): Promise<Verdict> =>
  tool(process.execPath, [at("node_modules", file), ...args])

// TypeScript 7 has no programming interface that tstyche could use, so the type tests run on the last version that has.
const typeTests = (): Promise<Verdict> => {
  const typescript = pathToFileURL(at("node_modules/typescript-api/lib/typescript.js")).href
  const env = { ...process.env, TSTYCHE_TYPESCRIPT_MODULE: typescript }
  return tool(process.execPath, [at("node_modules/tstyche/dist/bin.js")], env)
}

const report = (problems: ReadonlyArray<string>, about?: string): Verdict => {
  for (const problem of problems) console.log(problem)
  return problems.length === 0 ? { state: "passed", about } : { state: "failed", about: `${problems.length} problems` }
}

const parts: Record<string, (fix: boolean) => Promise<Verdict>> = {
  // First: with --fix it writes what the others look at.
  exports: async (fix) => report(Exports.check(fix)),
  dashboard: async (fix) => report(await Dashboard.check(fix)),
  generated: async (fix) => report(await Generated.check(fix)),
  types: () => nodeTool("typescript/bin/tsc", "-b", "--pretty", "false"),
  lint: (fix) => nodeTool("oxlint/bin/oxlint", ...(fix ? ["--fix"] : [])),
  format: (fix) => tool(at("node_modules/dprint/dprint"), [fix ? "fmt" : "check"]),
  typetest: async () =>
    files("packages/*/typetest/**/*.tst.ts").length === 0
      ? { state: "skipped", about: "there are no type tests" }
      : typeTests(),
  imports: async () => report(Imports.check()),
  size: async () => report(Modules.checkSize()),
  comments: async () => report(Modules.checkComments()),
  casts: async () => report(Modules.checkCasts()),
  changeset: async () => {
    const problems = await Changeset.check()
    return problems === undefined ? { state: "skipped", about: "no other branch to compare with" } : report(problems)
  },
  fences: async () => {
    const { about, problems } = await Fences.check()
    return report(problems, about)
  }
}

const runPart = async (part: (fix: boolean) => Promise<Verdict>, fix: boolean): Promise<Verdict> => {
  try {
    return await part(fix)
  } catch (error) {
    if (error instanceof Interrupted) throw error
    console.error(error)
    return { state: "failed", about: "the check itself broke" }
  }
}

const { operands, values: { fix } } = CommandLine.read({
  command: "npm run check",
  about: "Everything that can be said about the sources without running the tests.",
  options: { fix: CommandLine.flag("writes what can be written, formats what can be formatted") },
  operands: { value: "PART", about: "which parts; all without", known: Object.keys(parts) },
  example: "lint format --fix"
})

await main(async () => {
  const rows: Array<ReadonlyArray<string | number>> = []
  for (const [name, part] of Object.entries(parts)) {
    if (operands.length > 0 && !operands.includes(name)) continue
    console.log(`\n=== ${name}`)
    const began = performance.now()
    const { about = "", state } = await runPart(part, fix)
    rows.push([name, state, seconds((performance.now() - began) / 1000), about])
  }
  console.log(`\n${table(["part", "result", "seconds", ""], rows)}`)
  return rows.some(([, state]) => state === "failed") ? 1 : 0
})
