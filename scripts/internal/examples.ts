/**
 * The runnable examples: `examples/NN-name.ts`, and for those that are a whole program `examples/<name>/main.ts`, or
 * `example.ts` beside it where the program alone needs more than can be given to it.
 */
import * as path from "node:path"
import { files, read } from "./repository.ts"
import { type Variable, wantedBy } from "./servers.ts"

export interface Example {
  readonly name: string
  readonly file: string
  readonly about: string
  /** The variables with addresses of servers that it reads. */
  readonly wants: ReadonlyArray<Variable>
  /** Starts processes of its own. */
  readonly spawns: boolean
  /** Has tests of its own, run with the integration tests; it need not end by itself. */
  readonly tested: boolean
}

/** The first sentence of the first comment, on one line. */
const firstSentence = (text: string) => {
  const comment = /^\s*(?:\/\*\*?\s*\n?([\s\S]*?)\*\/|\/\/(.*))/.exec(text)
  const lines = (comment?.[1] ?? comment?.[2] ?? "").split("\n").map((line) => line.replace(/^\s*\*?\s*/, "").trim())
  return /^.*?(?:\.(?= )|$)/.exec(lines.join(" ").trim())?.[0] ?? ""
}

const describe = (name: string, file: string, others: ReadonlyArray<string>): Example => {
  const texts = [file, ...others].map(read)
  return {
    name,
    file,
    about: firstSentence(read(file)),
    wants: wantedBy(texts),
    spawns: texts.some((text) => text.includes("Child.start(")),
    tested: others.some((each) => each.endsWith(".test.ts"))
  }
}

export const examples = (): Array<Example> => [
  ...files("examples/*.ts").map((file) => describe(path.basename(file, ".ts"), file, [])),
  ...files("examples/*/main.ts").map((main) => {
    const folder = path.dirname(main)
    const [file = main] = files(`${folder}/example.ts`)
    return describe(path.basename(folder), file, files(`${folder}/**/*.ts`))
  })
]
