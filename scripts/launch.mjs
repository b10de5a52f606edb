/**
 * Runs a task of this repository: `node scripts/launch.mjs <task> [arguments]`, which is what `npm test`, `npm start`
 * and the other root scripts call. It needs Node 20 and npm only, so it is plain JavaScript without dependencies: the
 * first run installs the dependencies (and a newer Node where the machine's own is too old) and remembers that it did;
 * every later run goes straight to the task.
 *
 * The task runs in a process group of its own. A terminal's Ctrl-C arrives here once from the terminal and once more
 * from npm; the group receives it from here exactly once.
 */
import { spawn } from "node:child_process"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { dieOf, Interrupted, isGroupAlive, onOrphaned, onSignals, pause, signalGroup } from "./launch/processes.mjs"
import { LaunchError, say } from "./launch/report.mjs"
import { root, setUp } from "./launch/setup.mjs"

const OLDEST_NODE = 20
const EXIT_LIMIT_MS = 30_000
const LEFTOVER_LIMIT_MS = 3_000

const tasks = {
  start: { entry: "examples/storefront/storm.ts", about: "the storefront through a storm" },
  test: { entry: "scripts/test.ts", about: "tests and examples" },
  check: { entry: "scripts/check.ts", about: "types, lint, format and everything else that is checked" },
  build: { entry: "scripts/build.ts", about: "builds the packages and tries them as an installation" },
  example: { entry: "scripts/example.ts", about: "lists the examples, or runs one" },
  bench: { entry: "packages/benchmarks/src/main.ts", about: "measures beside the peers" },
  load: { entry: "packages/benchmarks/src/load.ts", about: "requests to a server on this machine" },
  soak: { entry: "packages/benchmarks/src/soak.ts", about: "twice a pool's load through faults" },
  conformance: { entry: "scripts/conformance.ts", about: "which pool does what" },
  simulate: { entry: "packages/benchmarks/src/simulate.ts", about: "the policies in storms, on virtual time" }
}

const runTask = ({ node, pnpm }, entry, args) => {
  const env = {
    ...process.env,
    PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ""}`,
    BREAKWATER_PNPM: pnpm
  }
  const follow = pathToFileURL(path.join(root, "scripts", "follow.mjs")).href
  const child = spawn(
    node,
    ["--disable-warning=ExperimentalWarning", `--import=${follow}`, path.join(root, entry), ...args],
    { cwd: root, env, stdio: ["inherit", "inherit", "inherit", "ipc"], detached: true }
  )
  const end = (signal) => {
    // As a terminal would: Ctrl-C and a hang-up reach everything, a termination the task, which ends what it started.
    if (signal === "SIGTERM") child.kill(signal)
    else signalGroup(child.pid, signal)
    setTimeout(() => signalGroup(child.pid, "SIGKILL"), EXIT_LIMIT_MS).unref()
  }
  const forget = onSignals(end)
  onOrphaned(() => end("SIGTERM"))
  child.on("error", (error) => {
    say(`${node} could not be started: ${error.message}`)
    process.exit(1)
  })
  child.on("exit", async (code, signal) => {
    await endLeftovers(child.pid)
    forget()
    if (signal === null) process.exit(code)
    dieOf(signal)
  })
}

/** A task ends what it started; should it have been killed before it could, this does. */
const endLeftovers = async (group) => {
  for (const signal of [undefined, "SIGTERM", "SIGKILL"]) {
    if (signal !== undefined) signalGroup(group, signal)
    const deadline = Date.now() + LEFTOVER_LIMIT_MS
    while (isGroupAlive(group)) {
      if (Date.now() > deadline) break
      await pause(50)
    }
  }
}

const usage = () => {
  const lines = Object.entries(tasks).map(([name, task]) => `  npm run ${name.padEnd(12)} ${task.about}`)
  return `Tasks:\n${lines.join("\n")}\n\nnpm run TASK -- --help says what each can be told.\n`
}

const main = async () => {
  const [name, ...args] = process.argv.slice(2)
  const task = Object.hasOwn(tasks, name ?? "") ? tasks[name] : undefined
  if (task === undefined) {
    const mistaken = name !== undefined && name !== "--help" && name !== "-h"
    const out = mistaken ? process.stderr : process.stdout
    out.write(mistaken ? `There is no task ${name}.\n\n${usage()}` : usage())
    process.exit(mistaken ? 2 : 0)
  }
  if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) {
    throw new LaunchError(`Node ${process.versions.node} is too old to set up: Node ${OLDEST_NODE} or newer is needed.`)
  }
  if (process.platform === "win32") {
    throw new LaunchError("Windows is not supported: its processes know no signals. Use WSL.")
  }
  runTask(await setUp(), task.entry, args)
}

main().catch((error) => {
  if (error instanceof Interrupted) return dieOf(error.signal)
  say(error instanceof LaunchError ? error.message : String(error.stack ?? error))
  process.exit(1)
})
