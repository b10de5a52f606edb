/** Where things lie in this repository. */
import * as fs from "node:fs"
import * as path from "node:path"

export const root = path.resolve(import.meta.dirname, "../..")

export const at = (...parts: ReadonlyArray<string>): string => path.join(root, ...parts)

export const read = (file: string): string => fs.readFileSync(at(file), "utf8")

/** Files that match, relative to the root, with forward slashes, sorted; never inside `node_modules` or `dist`. */
export const files = (...patterns: ReadonlyArray<string>): Array<string> =>
  patterns
    .flatMap((pattern) =>
      fs.globSync(pattern, { cwd: root, exclude: (name) => name === "node_modules" || name === "dist" })
    )
    .toSorted()

export const packageNames = (): Array<string> =>
  files("packages/*/package.json").map((file) => path.basename(path.dirname(file)))
