/** The public modules of a package: which files they are, and under which names others import them. */
import * as fs from "node:fs"
import * as path from "node:path"
import { at, files, read } from "../internal/repository.ts"

export interface PublicModule {
  /** From the root of the repository. */
  readonly file: string
  /** From the package's `src`. */
  readonly source: string
  /** Of the entry in `exports`. */
  readonly entry: string
  /** The namespace in the package's index; undefined for what is imported by its entry only. */
  readonly namespace: string | undefined
}

interface Manifest {
  readonly private?: boolean | undefined
  readonly peerDependenciesMeta?: Record<string, { readonly optional?: boolean | undefined }> | undefined
}

const manifestOf = (name: string): Manifest => JSON.parse(read(`packages/${name}/package.json`))

const optionalPeers = (manifest: Manifest): Array<string> =>
  Object.entries(manifest.peerDependenciesMeta ?? {}).flatMap(([peer, meta]) => meta.optional === true ? [peer] : [])

/** Whether loading the module needs a package that an installation may lack. */
const needs = (file: string, peers: ReadonlyArray<string>, seen = new Set<string>()): boolean => {
  // A missing file is for the type check to report.
  if (seen.has(file) || !fs.existsSync(at(file))) return false
  seen.add(file)
  const specifiers = [
    ...read(file).matchAll(/^(?:import|export)\s(?!type\s)(?:[\w\s*{},$]*?\bfrom\s*)?["']([^"'\n]+)["']/gm)
  ]
  return specifiers.some(([, specifier = ""]) =>
    specifier.startsWith(".")
      ? needs(path.posix.join(path.posix.dirname(file), specifier), peers, seen)
      : peers.some((peer) => specifier === peer || specifier.startsWith(`${peer}/`))
  )
}

/** None of a private package: nobody imports it. */
export const publicModules = (name: string): Array<PublicModule> => {
  const manifest = manifestOf(name)
  if (manifest.private === true) return []
  const folder = `packages/${name}/src`
  const peers = optionalPeers(manifest)
  return files(`${folder}/*.ts`, `${folder}/*/*.ts`)
    .filter((file) => file !== `${folder}/index.ts` && !file.includes("/internal/"))
    .map((file) => {
      const source = path.posix.relative(folder, file)
      const base = path.posix.basename(file, ".ts")
      const isModule = /^[A-Z]/.test(base)
      return {
        file,
        source,
        // A lower-case file is a plain entry for a tool: `src/vitest/postgres.ts` is `./vitest-postgres`.
        entry: isModule ? `./${base}` : `./${source.slice(0, -".ts".length).replaceAll("/", "-")}`,
        namespace: isModule && !needs(file, peers) ? base : undefined
      }
    })
    .toSorted((a, b) => a.entry < b.entry ? -1 : 1)
}
