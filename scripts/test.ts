/**
 * `npm test -- [PATTERN] [--on node|bun|deno]`: unit tests, integration tests and examples, and one table of them all.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { stripVTControlCharacters } from "node:util"
import * as CommandLine from "./commandLine.ts"
import { type Example, examples } from "./internal/examples.ts"
import { main, run } from "./internal/processes.ts"
import { at, files } from "./internal/repository.ts"
import * as Runtimes from "./internal/runtimes.ts"
import * as Servers from "./internal/servers.ts"
import { seconds, table } from "./internal/table.ts"
import { type Counts, countTests } from "./internal/vitestReport.ts"

const VITEST_LIMIT_SECONDS = 480
const EXAMPLE_LIMIT_SECONDS = 60

type Project = "unit" | "integration"

interface Outcome extends Counts {
  readonly part: Project | "examples"
  readonly runtime: Runtimes.Runtime
  readonly seconds: number
  /** Why something was skipped, as the part itself said it, and the names of skipped tests. */
  readonly reasons: ReadonlyArray<string>
  readonly failures: ReadonlyArray<string>
}

const integrationPatterns = ["packages/*/test/integration/**/*.test.ts", "examples/**/test/*.test.ts"]

const testFiles = (project: Project): Array<string> => {
  const integration = files(...integrationPatterns)
  if (project === "integration") return integration
  return files("packages/*/test/**/*.test.ts").filter((file) => !integration.includes(file))
}

const skipReasons = (output: string) =>
  [...stripVTControlCharacters(output).matchAll(/^\[skipped\] (.+)$/gm)].map(([, reason = ""]) => reason.trim())

const title = (text: string) => console.log(`\n=== ${text}`)

const runVitest = async (
  project: Project,
  runtime: Runtimes.Runtime,
  chosen: ReadonlyArray<string>,
  everything: boolean
): Promise<Outcome> => {
  title(`${project} tests on ${runtime}`)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "breakwater-test-"))
  const report = path.join(folder, "report.json")
  try {
    const [program, ...args] = Runtimes.tests(runtime)
    const result = await run(
      program,
      [
        ...args,
        `--project=${project}`,
        "--reporter=default",
        "--reporter=json",
        `--outputFile.json=${report}`,
        ...(everything ? [] : chosen)
      ],
      { cwd: at(), env: Runtimes.environment(runtime), limitSeconds: VITEST_LIMIT_SECONDS, output: "tee" }
    )
    if (!result.ok) console.log(`${project} tests on ${runtime}: ${result.ending}`)
    const { failedTests, skippedTests, ...counts } = countTests(report, result.ok)
    const failures = counts.failed > 0 && failedTests.length === 0 ? [result.ending] : failedTests
    const reasons = [...skipReasons(result.output), ...skippedTests]
    return { part: project, runtime, seconds: result.seconds, reasons, failures, ...counts }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

interface ExampleOutcome {
  readonly name: string
  readonly state: "passed" | "failed" | "skipped"
  readonly reasons: ReadonlyArray<string>
}

const runExample = async (
  example: Example,
  runtime: Runtimes.Runtime,
  servers: Servers.Servers
): Promise<ExampleOutcome> => {
  const given = await servers.give(example.wants)
  if ("missing" in given) {
    console.log(`  skipped  ${example.name} on ${runtime}`)
    return { name: example.name, state: "skipped", reasons: [`${example.name}: ${given.missing}`] }
  }
  const [program, ...args] = Runtimes.script(runtime, at(example.file))
  const result = await run(program, args, {
    cwd: at("examples"),
    env: Runtimes.environment(runtime, given.environment),
    limitSeconds: EXAMPLE_LIMIT_SECONDS,
    output: "capture"
  })
  const reasons = skipReasons(result.output)
  const state = !result.ok ? "failed" : reasons.length > 0 ? "skipped" : "passed"
  console.log(`  ${state.padEnd(7)}  ${example.name} on ${runtime}  ${seconds(result.seconds)} s`)
  if (!result.ok) console.log(`${result.output.trimEnd()}\n  ${example.name} on ${runtime}: ${result.ending}`)
  return { name: example.name, state, reasons }
}

const runExamples = async (
  chosen: ReadonlyArray<Example>,
  runtime: Runtimes.Runtime,
  servers: Servers.Servers
): Promise<Outcome> => {
  const began = performance.now()
  const outcomes: Array<ExampleOutcome> = []
  for (const example of chosen) {
    // One after the other: on a small machine many in parallel would time each other out.
    outcomes.push(await runExample(example, runtime, servers))
  }
  const count = (state: ExampleOutcome["state"]) => outcomes.filter((outcome) => outcome.state === state).length
  return {
    part: "examples",
    runtime,
    passed: count("passed"),
    failed: count("failed"),
    skipped: count("skipped"),
    seconds: (performance.now() - began) / 1000,
    reasons: outcomes.flatMap((outcome) => outcome.reasons),
    failures: outcomes.filter((outcome) => outcome.state === "failed").map((outcome) => outcome.name)
  }
}

const list = (
  heading: string,
  outcomes: ReadonlyArray<Outcome>,
  select: (outcome: Outcome) => ReadonlyArray<string>
) => {
  const lines = outcomes.flatMap((outcome) =>
    [...new Set(select(outcome))].map((line) => `  ${outcome.part} on ${outcome.runtime}: ${line}`)
  )
  if (lines.length > 0) console.log(`\n${heading}:\n${lines.join("\n")}`)
}

const conclude = (outcomes: ReadonlyArray<Outcome>): number => {
  const total = (key: keyof Counts) => outcomes.reduce((sum, outcome) => sum + outcome[key], 0)
  const rows = outcomes.map((outcome) => [
    outcome.part,
    outcome.runtime,
    outcome.passed,
    outcome.failed,
    outcome.skipped,
    seconds(outcome.seconds)
  ])
  console.log(`\n${table(["part", "runtime", "passed", "failed", "skipped", "seconds"], rows)}`)
  list("skipped", outcomes, (outcome) => outcome.reasons)
  list("failed", outcomes, (outcome) => outcome.failures)
  console.log(`\n${total("passed")} passed, ${total("failed")} failed, ${total("skipped")} skipped`)
  return total("failed") === 0 ? 0 : 1
}

const runAll = async (pattern: string | undefined, on: Runtimes.Runtime | undefined) => {
  const matches = (name: string) => pattern === undefined || name.toLowerCase().includes(pattern.toLowerCase())
  const unit = testFiles("unit").filter(matches)
  const integration = testFiles("integration").filter(matches)
  const shown = examples().filter((example) => !example.tested && matches(example.name))
  if (unit.length + integration.length + shown.length === 0) {
    throw new CommandLine.UsageError(`No test file and no example has a name that contains ${pattern ?? "anything"}.`)
  }
  const everywhere = on === undefined ? Runtimes.runtimes : [on]
  const servers = Servers.make()
  const outcomes: Array<Outcome> = []
  try {
    if (unit.length > 0) outcomes.push(await runVitest("unit", on ?? "node", unit, pattern === undefined))
    if (integration.length > 0) {
      for (const runtime of everywhere) {
        outcomes.push(await runVitest("integration", runtime, integration, pattern === undefined))
      }
    }
    if (shown.length > 0) {
      title(`examples on ${everywhere.join(", ")}`)
      outcomes.push(...await Promise.all(everywhere.map((runtime) => runExamples(shown, runtime, servers))))
    }
    return conclude(outcomes)
  } finally {
    await servers.close()
  }
}

const { operands: [pattern], values: { on } } = CommandLine.read({
  command: "npm test",
  about: "Unit tests on Node; integration tests and examples on every runtime.",
  options: { on: Runtimes.option(undefined) },
  operands: { value: "PATTERN", about: "a part of the names of test files and examples; all without", most: 1 },
  example: "packages/core/test/Pool --on node"
})

await main(() => runAll(pattern, on))
