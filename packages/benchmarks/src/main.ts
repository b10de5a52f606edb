/** `npm run bench -- [GROUP...] [--rounds N] [--json FILE] [--on node|bun|deno]`: what Breakwater costs, beside its peers. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { parseArgs } from "node:util"
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

class UsageError extends Error {}

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

const chosen = (names: ReadonlyArray<string>): ReadonlyArray<Group> => {
  const unknown = names.find((name) => groups.every((group) => group.name !== name))
  if (unknown !== undefined) {
    throw new UsageError(`No group ${unknown}. There are: ${groups.map(({ name }) => name).join(", ")}`)
  }
  return groups.filter(({ name }) => names.length === 0 || names.includes(name))
}

const roundsOf = (text: string): number => {
  const rounds = Number(text)
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= 100) return rounds
  throw new UsageError(`--rounds is ${text}, allowed are the integers from 1 to 100`)
}

const main = async (): Promise<number> => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: String(DEFAULT_ROUNDS) },
      json: { type: "string" },
      on: { type: "string", default: runtimeName() }
    }
  })
  if (!Object.hasOwn(commands, values.on)) {
    throw new UsageError(`--on ${values.on}: the runtimes are ${Object.keys(commands).join(", ")}`)
  }
  const rounds = roundsOf(values.rounds)
  const groupsToRun = chosen(positionals)
  if (values.on !== runtimeName()) return elsewhere(values.on, process.argv.slice(2))
  const reports: Array<Report> = []
  await inTurn(groupsToRun, async (group) => {
    console.log(`\n=== ${group.name}, ${rounds} rounds`)
    const report = await limited(group, rounds)
    reports.push(report)
    write(report)
  })
  if (values.json !== undefined) fs.writeFileSync(values.json, `${JSON.stringify(reports, null, 2)}\n`)
  return 0
}

const isUsage = (error: unknown): error is Error =>
  error instanceof UsageError ||
  (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"))

try {
  // Some peers leave timers behind that would keep the process.
  process.exit(await main())
} catch (error) {
  console.error(isUsage(error) ? error.message : error)
  process.exit(1)
}
