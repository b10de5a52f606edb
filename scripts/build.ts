/**
 * `npm run build`: builds every package, packs it, installs the packs outside this repository and imports every entry.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { publicModules } from "./check/publicModules.ts"
import * as CommandLine from "./commandLine.ts"
import { main, run } from "./internal/processes.ts"
import { at, packageNames } from "./internal/repository.ts"
import * as Runtimes from "./internal/runtimes.ts"

const LIMIT_SECONDS = 300

class BuildError extends Error {}

const tool = async (program: string, args: ReadonlyArray<string>, cwd = at()) => {
  const result = await run(program, args, { cwd, limitSeconds: LIMIT_SECONDS, output: "capture" })
  if (!result.ok) {
    throw new BuildError(`${path.basename(program)} ${args.join(" ")}: ${result.ending}\n${result.output}`)
  }
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
  readonly dependencies?: Record<string, string> | undefined
  readonly peerDependencies?: Record<string, string> | undefined
}

const pack = async (name: string, folder: string): Promise<string> => {
  const pnpm = process.env["BREAKWATER_PNPM"] ?? "pnpm"
  const output = await tool(pnpm, ["pack", "--json", "--pack-destination", folder], at("packages", name))
  // pnpm's own answer; what matters of it is read back from the archive below.
  const answer: { readonly filename: string } = JSON.parse(output)
  return path.resolve(folder, answer.filename)
}

/** An installation without a registry: the packs, and beside them the dependencies this repository has installed. */
const install = async (name: string, archive: string, folder: string) => {
  const target = path.join(folder, "node_modules", "@breakwater", name)
  fs.mkdirSync(target, { recursive: true })
  await tool("tar", ["-xzf", archive, "-C", target, "--strip-components=1"])
  const manifest: Manifest = JSON.parse(fs.readFileSync(path.join(target, "package.json"), "utf8"))
  const unresolved = Object.entries({ ...manifest.dependencies, ...manifest.peerDependencies })
    .filter(([, range]) => /^(?:workspace|catalog):/.test(range))
  if (unresolved.length > 0) {
    throw new BuildError(`@breakwater/${name} would be published with ${unresolved.join(", ")}`)
  }
  for (const dependency of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    const link = path.join(folder, "node_modules", dependency)
    if (dependency.startsWith("@breakwater/") || fs.existsSync(link)) continue
    fs.mkdirSync(path.dirname(link), { recursive: true })
    fs.symlinkSync(fs.realpathSync(at("packages", name, "node_modules", dependency)), link)
  }
}

/** Every entry that a program outside vitest may import. */
const entries = (name: string): Array<string> => [
  `@breakwater/${name}`,
  ...publicModules(name)
    .filter((module) => module.namespace !== undefined)
    .map((module) => `@breakwater/${name}/${module.entry.slice("./".length)}`)
]

const tsconfig = (file: string, types: ReadonlyArray<string>) =>
  JSON.stringify({
    compilerOptions: {
      target: "ES2024",
      module: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      types,
      skipLibCheck: false
    },
    files: [file]
  })

/** A program that imports all of these, and says how many they were. */
const programOf = (specifiers: ReadonlyArray<string>) => {
  const imports = specifiers.map((specifier, index) => `import * as m${index} from "${specifier}"`)
  const modules = specifiers.map((_, index) => `m${index}`).join(", ")
  return `${imports.join("\n")}\nconst modules: Array<object> = [${modules}]\nconsole.log(modules.length)\n`
}

const checkTypes = async (specifiers: ReadonlyArray<string>, types: ReadonlyArray<string>, folder: string) => {
  const config = path.join(folder, `tsconfig.${types.length}.json`)
  const file = `types-${types.length}.mts`
  fs.writeFileSync(path.join(folder, file), programOf(specifiers))
  fs.writeFileSync(config, tsconfig(file, types))
  await tool(process.execPath, [at("node_modules/typescript/bin/tsc"), "-p", config, "--pretty", "false"])
}

/** What somebody does who installed the packages: type-checks against them, and runs them. */
const tryOut = async (names: ReadonlyArray<string>, folder: string) => {
  const typesFolder = path.join(folder, "node_modules", "@types")
  fs.mkdirSync(typesFolder, { recursive: true })
  fs.symlinkSync(fs.realpathSync(at("node_modules/@types/node")), path.join(typesFolder, "node"))
  const specifiers = names.flatMap(entries)
  // Core promises to know no runtime: its types have to do without Node's.
  await checkTypes(entries("core"), [], folder)
  await checkTypes(specifiers, ["node"], folder)
  const file = path.join(folder, "main.mts")
  fs.writeFileSync(file, programOf(specifiers))
  for (const runtime of Runtimes.runtimes) {
    const [program, ...args] = Runtimes.script(runtime, file)
    const printed = await tool(program, args, folder)
    if (printed.trim() !== String(specifiers.length)) throw new BuildError(`On ${runtime} the packs print ${printed}`)
  }
  return specifiers.length
}

CommandLine.read({
  command: "npm run build",
  about: "Builds every package, packs it, and tries the packs outside this repository.",
  options: {}
})

await main(async () => {
  const names = packageNames().filter((name) => publicModules(name).length > 0)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "breakwater-build-"))
  try {
    await step("built", () => emit(names))
    const archives = await step("packed", async () => {
      const packed: Array<readonly [string, string]> = []
      for (const name of names) packed.push([name, await pack(name, folder)])
      return packed
    })
    await step("installed outside the repository", async () => {
      for (const [name, archive] of archives) await install(name, archive, folder)
    })
    const count = await step("type-checked and imported on Node, Bun and Deno", () => tryOut(names, folder))
    console.log(`${names.length} packages with ${count} entries are in packages/*/dist`)
    return 0
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    console.error(error.message)
    return 1
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
})
