/**
 * Runs the code of the documents: every `ts` fence of README.md, of the packages' own, of docs/, and of the comments in
 * the packages' sources.
 *
 * A fence is a complete program. What it prints has to be what its `// =>` comments say, from top to bottom; `…` in a
 * comment stands for what differs from run to run. A fence marked `ts no-run` is type-checked only.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { type Result, run } from "../internal/processes.ts"
import { at, files, read } from "../internal/repository.ts"
import * as Runtimes from "../internal/runtimes.ts"
import * as Servers from "../internal/servers.ts"

const LIMIT_SECONDS = 30
const TYPES_LIMIT_SECONDS = 120
const CONCURRENCY = 2

interface Fence {
  /** `file:line` of the fence in its document. */
  readonly where: string
  readonly code: string
  readonly runs: boolean
}

const fencesIn = (file: string, lines: ReadonlyArray<string>, inComment: boolean): Array<Fence> => {
  const text = lines.map((line) => inComment ? line.replace(/^\s*\* ?/, "") : line)
  const found: Array<Fence> = []
  for (let index = 0; index < text.length; index++) {
    // In a source only comments count, or a template string of ours that writes a document would be run.
    if (inComment && !/^\s*\*/.test(lines[index] ?? "")) continue
    const [, info] = /^\s*```ts\b(.*)$/.exec(text[index] ?? "") ?? []
    if (info === undefined) continue
    const end = text.findIndex((line, later) => later > index && /^\s*```\s*$/.test(line))
    const code = text.slice(index + 1, end < 0 ? undefined : end).join("\n")
    found.push({ where: `${file}:${index + 1}`, code, runs: !/\bno-run\b/.test(info) })
    index = end < 0 ? text.length : end
  }
  return found
}

const collect = (): Array<Fence> => {
  const documents = files("README.md", "packages/*/README.md", "docs/**/*.md").flatMap((file) =>
    fencesIn(file, read(file).split("\n"), false)
  )
  const comments = files("packages/*/src/**/*.ts").flatMap((file) => fencesIn(file, read(file).split("\n"), true))
  return [...documents, ...comments]
}

const expectedLines = (code: string): Array<string> =>
  code.split("\n").flatMap((line) => /\/\/ => ?(.*)$/.exec(line)?.[1]?.trimEnd() ?? [])

const sameLine = (expected: string, actual: string): boolean => {
  const [first = "", ...rest] = expected.split("…")
  if (rest.length === 0) return expected === actual
  const pattern = [first, ...rest].map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")
  return new RegExp(`^${pattern}$`).test(actual)
}

const compare = (fence: Fence, result: Result): Array<string> => {
  if (!result.ok) return [`${fence.where}: ${result.ending}\n${result.output.trimEnd()}`]
  const expected = expectedLines(fence.code)
  if (expected.length === 0) return []
  const printed = result.stdout.trimEnd().split("\n").map((line) => line.trimEnd())
  const same = expected.length === printed.length &&
    expected.every((line, index) => sameLine(line, printed[index] ?? ""))
  return same ? [] : [`${fence.where}: says\n  ${expected.join("\n  ")}\nbut prints\n  ${printed.join("\n  ")}`]
}

const runFence = async (fence: Fence, file: string, servers: Servers.Servers): Promise<Array<string>> => {
  const given = await servers.give(Servers.wantedBy([fence.code]))
  if ("missing" in given) return [`${fence.where}: ${given.missing}`]
  const [program, ...args] = Runtimes.script("node", file)
  const env = { ...Runtimes.environment("node", given.environment), NO_COLOR: "1" }
  return compare(fence, await run(program, args, { env, limitSeconds: LIMIT_SECONDS, output: "capture" }))
}

const tsconfig = JSON.stringify({
  extends: "../../../tsconfig.leaf.json",
  include: ["*.ts"],
  // A fence shows; it may leave a value unused.
  compilerOptions: { noUnusedLocals: false, incremental: false }
})

/** A diagnostic names the file we wrote; the reader needs the place in the document. */
const inDocuments = (output: string, fences: ReadonlyArray<Fence>): string =>
  output.replaceAll(/\S*fence-(\d+)\.ts\((\d+),\d+\)/g, (_, fence: string, line: string) => {
    const [file, start] = (fences[Number(fence)]?.where ?? "").split(":")
    return `${file}:${Number(start) + Number(line)}`
  })

const checkTypes = async (folder: string, fences: ReadonlyArray<Fence>): Promise<Array<string>> => {
  const args = [at("node_modules/typescript/bin/tsc"), "-p", folder, "--pretty", "false"]
  const result = await run(process.execPath, args, { limitSeconds: TYPES_LIMIT_SECONDS, output: "capture" })
  return result.ok ? [] : [inDocuments(result.output.trim(), fences)]
}

const runAll = async (
  fences: ReadonlyArray<Fence>,
  fileOf: (index: number) => string
): Promise<Array<string>> => {
  const servers = Servers.make()
  const queue = fences.map((fence, index) => ({ fence, file: fileOf(index) })).filter(({ fence }) => fence.runs)
  const worker = async (): Promise<Array<string>> => {
    const problems: Array<string> = []
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      problems.push(...await runFence(next.fence, next.file, servers))
    }
    return problems
  }
  try {
    return (await Promise.all(Array.from({ length: CONCURRENCY }, worker))).flat()
  } finally {
    await servers.close()
  }
}

/** Problems found; the fences are written below `examples`, whose dependencies they may import. */
export const check = async (): Promise<{ readonly problems: Array<string>; readonly about: string }> => {
  const fences = collect()
  const about = `${fences.length} fences, ${fences.filter((fence) => fence.runs).length} run`
  if (fences.length === 0) return { problems: [], about }
  const folder = at("examples/.fences", String(process.pid))
  const fileOf = (index: number) => path.join(folder, `fence-${index}.ts`)
  fs.mkdirSync(folder, { recursive: true })
  try {
    fences.forEach((fence, index) => fs.writeFileSync(fileOf(index), `${fence.code}\n`))
    fs.writeFileSync(path.join(folder, "tsconfig.json"), tsconfig)
    const types = await checkTypes(folder, fences)
    return { problems: [...types, ...await runAll(fences, fileOf)], about }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
