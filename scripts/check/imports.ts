/** Who may import whom (the arrows of the architecture go one way) and that no imports run in a circle. */
import { isBuiltin } from "node:module"
import * as path from "node:path"
import { files, packageNames, read } from "../internal/repository.ts"

interface Import {
  readonly from: string
  readonly specifier: string
  /** The file a relative specifier points at, from the root. */
  readonly target: string | undefined
  /** Erased before anything runs. */
  readonly typeOnly: boolean
}

/** Wings of core, and what each may use beside itself. */
const wings: Record<string, ReadonlyArray<string>> = {
  internal: [],
  pool: ["internal"],
  policy: ["internal"],
  backend: ["internal", "pool", "policy"]
}

// At the start of a line: examples inside comments begin with an asterisk.
const staticImport = /^(?:import|export)\s(type\s)?(?:[\w\s*{},$]*?\bfrom\s*)?["']([^"'\n]+)["']/gm
const dynamicImport = /\bimport\(\s*["']([^"'\n]+)["']/g

const importsOf = (file: string): Array<Import> => {
  const text = read(file)
  const found = [
    ...[...text.matchAll(staticImport)].map(([, type, specifier = ""]) => ({
      specifier,
      typeOnly: type !== undefined
    })),
    ...[...text.matchAll(dynamicImport)].map(([, specifier = ""]) => ({ specifier, typeOnly: false }))
  ]
  return found.map(({ specifier, typeOnly }) => ({
    from: file,
    specifier,
    typeOnly,
    target: specifier.startsWith(".") ? path.posix.join(path.posix.dirname(file), specifier) : undefined
  }))
}

const packageOf = (file: string) => /^packages\/([^/]+)\//.exec(file)?.[1]

const wingOf = (file: string) => /^packages\/core\/src\/([^/]+)\//.exec(file)?.[1] ?? ""

/** `packages/core/src/pool/internal/x.ts` belongs to `packages/core/src/pool`. */
const ownerOfInternal = (file: string) => /^(.*)\/internal\//.exec(file)?.[1]

/** What the tasks of this repository share; the benchmarks are tasks, too. */
const SHARED_BY_TASKS = "scripts/commandLine.ts"

const withinPackage = (
  { from, target }: { readonly from: string; readonly target: string },
  { isPrivate }: Declared
): string | undefined => {
  if (isPrivate && target === SHARED_BY_TASKS) return undefined
  if (packageOf(from) !== packageOf(target)) return "leaves its package by a relative path"
  const [own, other] = [wingOf(from), wingOf(target)]
  if (own !== "" && own !== other && !(wings[own] ?? []).includes(other)) {
    return `${own}/ may not import ${other || "src"}/`
  }
  const owner = ownerOfInternal(target)
  if (owner !== undefined && !from.startsWith(`${owner}/`)) return `reaches into ${owner}/internal`
  return undefined
}

interface Manifest {
  readonly private?: boolean | undefined
  readonly dependencies?: Record<string, string> | undefined
  readonly peerDependencies?: Record<string, string> | undefined
  readonly optionalDependencies?: Record<string, string> | undefined
}

/** A private package, the benchmarks, compares and may import whatever it declares. */
interface Declared {
  readonly isPrivate: boolean
  readonly names: ReadonlySet<string>
}

const declaredBy = (name: string): Declared => {
  // Our own package.json files, checked by pnpm.
  const manifest: Manifest = JSON.parse(read(`packages/${name}/package.json`))
  const names = new Set(
    [manifest.dependencies, manifest.peerDependencies, manifest.optionalDependencies].flatMap((group) =>
      Object.keys(group ?? {})
    )
  )
  return { isPrivate: manifest.private === true, names }
}

const packageName = (specifier: string) => specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/")

const acrossPackages = (specifier: string, own: string, declared: Declared): string | undefined => {
  if (isBuiltin(specifier)) return own === "core" ? "core may import effect only, no built-in of a runtime" : undefined
  const name = packageName(specifier)
  if (own === "core" && name !== "effect") return "core may import effect only"
  if (!declared.isPrivate && name.startsWith("@breakwater/") && name !== "@breakwater/core") {
    return "packages build on core, not on each other"
  }
  return declared.names.has(name) ? undefined : `${name} is not a dependency in packages/${own}/package.json`
}

const NOTHING: Declared = { isPrivate: false, names: new Set() }

const directions = (imports: ReadonlyArray<Import>): Array<string> => {
  const declared = new Map(packageNames().map((name) => [name, declaredBy(name)]))
  return imports.flatMap(({ from, specifier, target }) => {
    const own = packageOf(from)
    const inSource = from.startsWith(`packages/${own}/src/`)
    const problem = target !== undefined && target.startsWith("examples/") && !from.startsWith("examples/")
      ? "nothing imports examples"
      : !inSource || own === undefined
      ? undefined
      : target === undefined
      ? acrossPackages(specifier, own, declared.get(own) ?? NOTHING)
      : withinPackage({ from, target }, declared.get(own) ?? NOTHING)
    return problem === undefined ? [] : [`${from}: imports ${specifier}: ${problem}`]
  })
}

const cycles = (imports: ReadonlyArray<Import>): Array<string> => {
  const targets = Map.groupBy(imports.filter(({ typeOnly }) => !typeOnly), ({ from }) => from)
  const finished = new Set<string>()
  const found: Array<string> = []
  const visit = (file: string, trail: ReadonlyArray<string>): void => {
    if (finished.has(file)) return
    const start = trail.indexOf(file)
    if (start >= 0) {
      found.push(`imports in a circle: ${[...trail.slice(start), file].join(" -> ")}`)
      return
    }
    for (const { target } of targets.get(file) ?? []) {
      if (target !== undefined) visit(target, [...trail, file])
    }
    finished.add(file)
  }
  for (const file of targets.keys()) visit(file, [])
  return found
}

export const check = (): Array<string> => {
  const sources = files("packages/*/{src,test,typetest}/**/*.ts", "examples/**/*.ts", "scripts/**/*.ts")
  const imports = sources.flatMap(importsOf)
  return [...directions(imports), ...cycles(imports)]
}
