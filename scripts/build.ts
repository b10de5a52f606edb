/** `npm run build`: builds every package, packs it, installs the packs outside this repository and imports every entry. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { publicModules } from "./check/publicModules.ts"
import { main, run } from "./internal/processes.ts"
import { at, packageNames, read } from "./internal/repository.ts"

const LIMIT_SECONDS = 300

class BuildError extends Error {}

const tool = async (program: string, args: ReadonlyArray<string>, cwd = at()) => {
  const result = await run(program, args, { cwd, limitSeconds: LIMIT_SECONDS, output: "capture" })
  if (!result.ok) throw new BuildError(`${path.basename(program)} ${args.join(" ")}: ${result.ending}\n${result.output}`)
  return result.stdout
}

const step = async <A>(title: string, work: () => Promise<A>): Promise<A> => {
  const began = performance.now()
  const result = await work()
  console.log(`${title}: ${((performance.now() - began) / 1000).toFixed(1)} s`)
  return result
}

const emit = async (names: ReadonlyArray<string>) => {
  // A module that was renamed must not live on in what is published.
  for (const name of names) fs.rmSync(at("packages", name, "dist"), { recursive: true, force: true })
  const projects = names.map((name) => `packages/${name}`)
  await tool(process.execPath, [at("node_modules/typescript/bin/tsc"), "-b", ...projects, "--pretty", "false"])
}

interface Manifest {
  readonly exports: Record<string, unknown>
  readonly publishConfig: { readonly exports: Record<string, unknown> }
  readonly dependencies?: Record<string, string> | undefined
  readonly peerDependencies?: Record<string, string> | undefined
}
