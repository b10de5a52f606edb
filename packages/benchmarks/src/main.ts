/** `npm run bench -- [GROUP...] [--rounds N] [--json FILE] [--on node|bun|deno]`: what Breakwater costs, beside its peers. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as CommandLine from "../../../scripts/commandLine.ts"
import { type Group, inTurn } from "./candidate.ts"
import { backends } from "./groups/backends.ts"
import { dead } from "./groups/dead.ts"
import { policy } from "./groups/policy.ts"
import { pool } from "./groups/pool.ts"
import { sizes } from "./groups/sizes.ts"
import { websocket } from "./groups/websocket.ts"
import { describe, runtimeName } from "./machine.ts"
import { measure, type Result } from "./measure.ts"
import { caseTable, replaceSection, type Report } from "./report.ts"
import { tryOut } from "./trial.ts"

const groups: ReadonlyArray<Group> = [pool, dead, policy, backends, sizes, websocket]

const root = path.join(import.meta.dirname, "../../..")
const document = path.join(root, "docs/benchmarks.md")

const DEFAULT_ROUNDS = 11
const GROUP_LIMIT_SECONDS = 180

const commands: Readonly<Record<string, ReadonlyArray<string>>> = {
  node: [process.execPath, "--disable-warning=ExperimentalWarning"],
  bun: [path.join(root, "node_modules/bun/bin/bun.exe"), "run"],
  deno: [path.join(root, "node_modules/deno/deno"), "run", "--quiet", "--node-modules-dir=manual", "--no-prompt", "-A"]
}

/** This program again, on another runtime. */
const elsewhere = (runtime: string, args: ReadonlyArray<string>): Promise<number> => {
  const [program = "", ...before] = commands[runtime] ?? []
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...before, import.meta.filename, ...args], { stdio: "inherit" })
    // Whoever ends this process means the one that measures.
    process.on("SIGTERM", () => child.kill())
    child.on("error", reject)
    child.on("exit", (code) => resolve(code ?? 1))
  })
}

const measureGroup = async (group: Group, rounds: number): Promise<Report> => {
  const machine = describe()
  const results: Array<Result> = []
  const scope = Scope.makeUnsafe()
  try {
    const cases = await Effect.runPromise(Scope.provide(group.cases, scope))
    await inTurn(cases, async (one) => {
      const result = "trials" in one ? await tryOut(one, rounds) : await measure(one, rounds)
      results.push(result)
      console.log(`\n${result.name}\n\n${caseTable(result)}`)
      for (const { goal, measured, met } of result.verdicts) {
        console.log(`${met ? "met" : "missed"}: ${goal}: ${measured}`)
      }
    })
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
  return { group: group.name, machine, results }
}

/** A candidate that hangs must not hang whoever waits for the figures. */
const limited = async (group: Group, rounds: number): Promise<Report> => {
  const limit = setTimeout(() => {
    console.error(`bench: ${group.name} did not end within ${GROUP_LIMIT_SECONDS} s`)
    process.exit(1)
  }, GROUP_LIMIT_SECONDS * 1000)
  try {
    return await measureGroup(group, rounds)
  } finally {
    clearTimeout(limit)
  }
}

const write = (report: Report): void => {
  const before = fs.existsSync(document) ? fs.readFileSync(document, "utf8") : ""
  fs.writeFileSync(document, replaceSection(before, report))
}

const main = async (): Promise<number> => {
  const { operands, values: { json, on, rounds } } = CommandLine.read({
    command: "npm run bench",
    about: "Measures beside the peers, and writes docs/benchmarks.md.",
    options: {
      rounds: CommandLine.integer("rounds of each case", { least: 1, most: 100, absent: DEFAULT_ROUNDS }),
      json: CommandLine.output("writes what it measured, as JSON"),
      on: CommandLine.oneOf("RUNTIME", "the runtime", Object.keys(commands), runtimeName())
    },
    operands: { value: "GROUP", about: "which cases; all without", known: groups.map(({ name }) => name) },
    example: "pool --rounds 5"
  })
  const groupsToRun = groups.filter(({ name }) => operands.length === 0 || operands.includes(name))
  if (on !== runtimeName()) return elsewhere(on, process.argv.slice(2))
  const reports: Array<Report> = []
  await inTurn(groupsToRun, async (group) => {
    console.log(`\n=== ${group.name}, ${rounds} rounds`)
    const report = await limited(group, rounds)
    reports.push(report)
    write(report)
  })
  if (json !== undefined) fs.writeFileSync(json, `${JSON.stringify(reports, null, 2)}\n`)
  return 0
}

try {
  // Some peers leave timers behind that would keep the process.
  process.exit(await main())
} catch (error) {
  console.error(error)
  process.exit(1)
}
