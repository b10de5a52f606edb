/** The three runtimes, as this repository installs them, and how each runs an example and vitest. */
import * as CommandLine from "../commandLine.ts"
import { at } from "./repository.ts"
import { type Environment, variables } from "./servers.ts"

export const runtimes = ["node", "bun", "deno"] as const

export type Runtime = (typeof runtimes)[number]

export type Command = readonly [program: string, ...args: ReadonlyArray<string>]

/** The option that chooses one. */
export const option = <A extends Runtime | undefined>(absent: A): CommandLine.Option<Runtime | A> =>
  CommandLine.oneOf("RUNTIME", "the runtime", runtimes, absent)

const bun = at("node_modules/bun/bin/bun.exe")
const deno = at("node_modules/deno/deno")
const vitest = at("node_modules/vitest/vitest.mjs")

/** What a program needs of Deno: the same for every example. */
const denoPermissions = ["--allow-net", "--allow-env", "--allow-read", "--allow-sys"]

/** `spawns`: it starts processes of its own. */
export const script = (runtime: Runtime, file: string, spawns = false): Command => {
  switch (runtime) {
    case "node":
      return [process.execPath, "--disable-warning=ExperimentalWarning", file]
    case "bun":
      return [bun, "run", file]
    case "deno":
      return [
        deno,
        "run",
        "--quiet",
        "--node-modules-dir=manual",
        "--no-prompt",
        ...denoPermissions,
        ...(spawns ? ["--allow-run"] : []),
        file
      ]
  }
}

export const tests = (runtime: Runtime): Command => {
  switch (runtime) {
    case "node":
      return [process.execPath, "--disable-warning=ExperimentalWarning", vitest, "run"]
    case "bun":
      // Without --bun vitest's own shebang would silently choose Node; its default pool cannot fork under Bun.
      return [bun, "--bun", vitest, "run", "--pool=threads"]
    case "deno":
      return [deno, "run", "-A", "--quiet", "--node-modules-dir=manual", vitest, "run"]
  }
}

/** The environment of a run: never the caller's servers, which a test must not touch. */
export const environment = (runtime: Runtime, given: Environment = {}): NodeJS.ProcessEnv => {
  const env: NodeJS.ProcessEnv = { ...process.env, BREAKWATER_TEST_RUNTIME: runtime }
  for (const variable of variables) delete env[variable]
  Object.assign(env, given)
  // The children write into pipes; whether there are colours depends on what the output goes to in the end.
  if (process.stdout.isTTY && env["NO_COLOR"] === undefined) env["FORCE_COLOR"] = "1"
  if (!process.stdout.isTTY) env["NO_COLOR"] = "1"
  return env
}
