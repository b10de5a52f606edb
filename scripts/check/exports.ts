/**
 * `exports` and `publishConfig.exports` of every package, and its index, follow from the files of its public modules.
 */
import * as fs from "node:fs"
import { at, packageNames, read } from "../internal/repository.ts"
import { type PublicModule, publicModules } from "./publicModules.ts"

interface Manifest {
  readonly description: string
  readonly exports: Record<string, string>
  readonly publishConfig: Record<string, unknown>
}

const built = (source: string) => {
  const file = `./dist/${source.slice(0, -".ts".length)}`
  return { types: `${file}.d.ts`, default: `${file}.js` }
}

const withExports = (manifest: Manifest, modules: ReadonlyArray<PublicModule>): Manifest => {
  const sources = [{ entry: ".", source: "index.ts" }, ...modules]
  return {
    ...manifest,
    exports: Object.fromEntries(sources.map(({ entry, source }) => [entry, `./src/${source}`])),
    publishConfig: {
      ...manifest.publishConfig,
      exports: Object.fromEntries(sources.map(({ entry, source }) => [entry, built(source)]))
    }
  }
}

const wrap = (text: string, width: number): Array<string> => {
  const lines: Array<string> = []
  for (const word of text.split(/\s+/)) {
    const line = `${lines.at(-1) ?? ""} ${word}`.trimStart()
    if (lines.length > 0 && line.length <= width) lines[lines.length - 1] = line
    else lines.push(word)
  }
  return lines
}

const comment = (text: string): string =>
  ["/**", ...wrap(text, 116).map((line) => ` * ${line}`), " *", " * @since 0.1.0", " */"].join("\n")

/** The first paragraph of the comment that a module opens with. */
const summary = (module: PublicModule): string => {
  const opening = /^\/\*\*([\s\S]*?)\*\//.exec(read(module.file))?.[1] ?? ""
  const lines = opening.split("\n").map((line) => line.replace(/^\s*\*? ?/, "").trim())
  const [paragraph = ""] = lines.join("\n").trim().split(/\n\n|\n@/)
  return paragraph === "" || paragraph.startsWith("@") ? `The module ${module.namespace}.` : paragraph
}

const indexOf = (manifest: Manifest, modules: ReadonlyArray<PublicModule>): string => {
  const head = comment(`${manifest.description}. Written by \`npm run check -- --fix\` from the modules' own comments.`)
  const lines = modules
    .filter((module) => module.namespace !== undefined)
    .map((module) => `${comment(summary(module))}\nexport * as ${module.namespace} from "./${module.source}"`)
  return `${[head, ...lines].join("\n\n")}\n`
}

const readOrEmpty = (file: string) => fs.existsSync(at(file)) ? read(file) : ""

const checkPackage = (name: string, fix: boolean): Array<string> => {
  const modules = publicModules(name)
  if (modules.length === 0) return []
  const manifestFile = `packages/${name}/package.json`
  const indexFile = `packages/${name}/src/index.ts`
  const manifest: Manifest = JSON.parse(read(manifestFile))
  const expected = withExports(manifest, modules)
  const index = indexOf(manifest, modules)
  const namespaces = modules.map((module) => module.entry)
  const twice = namespaces.filter((entry, position) => namespaces.indexOf(entry) !== position)
  const stale = JSON.stringify(manifest) !== JSON.stringify(expected)
  const staleIndex = readOrEmpty(indexFile) !== index
  if (fix && stale) fs.writeFileSync(at(manifestFile), `${JSON.stringify(expected, null, 2)}\n`)
  if (fix && staleIndex) fs.writeFileSync(at(indexFile), index)
  return [
    ...twice.map((entry) => `packages/${name}: two modules are called ${entry}`),
    ...(stale && !fix ? [`${manifestFile}: exports do not match the public modules`] : []),
    ...(staleIndex && !fix ? [`${indexFile}: does not match the public modules`] : [])
  ]
}

export const check = (fix: boolean): Array<string> => {
  const problems = packageNames().flatMap((name) => checkPackage(name, fix))
  return problems.length === 0 ? [] : [...problems, "npm run check -- --fix writes them"]
}
