/** The runnable examples: `examples/NN-name.ts`, and `examples/<name>/main.ts` for those that are a whole program. */
import * as path from "node:path"
import { files, read } from "./repository.ts"
import { type Variable, wantedBy } from "./servers.ts"

export interface Example {
  readonly name: string
  readonly file: string
  readonly about: string
  /** The variables with addresses of servers that it reads. */
  readonly wants: ReadonlyArray<Variable>
  /** Has tests of its own, run with the integration tests; it need not end by itself. */
  readonly tested: boolean
}

const firstComment = (text: string) => {
  const comment = /^\s*(?:\/\*\*?\s*\n?([\s\S]*?)\*\/|\/\/(.*))/.exec(text)
  const lines = (comment?.[1] ?? comment?.[2] ?? "").split("\n").map((line) => line.replace(/^\s*\*?\s*/, "").trim())
  return lines.find((line) => line !== "") ?? ""
}

const describe = (name: string, file: string, others: ReadonlyArray<string>): Example => {
  const text = read(file)
  return {
    name,
    file,
    about: firstComment(text),
    wants: wantedBy([file, ...others].map(read)),
    tested: others.some((each) => each.endsWith(".test.ts"))
  }
}

export const examples = (): Array<Example> => [
  ...files("examples/*.ts").map((file) => describe(path.basename(file, ".ts"), file, [])),
  ...files("examples/*/main.ts").map((file) => {
    const folder = path.dirname(file)
    return describe(path.basename(folder), file, files(`${folder}/**/*.ts`))
  })
]
