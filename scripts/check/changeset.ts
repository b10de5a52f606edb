/** Whether every changed package has a changeset, where there is a branch to compare with. */
import { type Result, run } from "../internal/processes.ts"
import { at } from "../internal/repository.ts"

const git = (...args: ReadonlyArray<string>): Promise<Result> =>
  run("git", args, { cwd: at(), limitSeconds: 30, output: "capture" })

/** The commit this branch left the main one at, unless this is the main branch or a copy without history. */
const findBase = async (): Promise<string | undefined> => {
  const head = await git("rev-parse", "HEAD")
  const base = await git("merge-base", "HEAD", "origin/main")
  return head.ok && base.ok && base.stdout !== head.stdout ? base.stdout.trim() : undefined
}

/** The problems, or undefined where there is nothing to compare with. */
export const check = async (): Promise<Array<string> | undefined> => {
  const base = await findBase()
  if (base === undefined) return undefined
  const status = await run(
    process.execPath,
    [at("node_modules/@changesets/cli/bin.js"), "status", `--since=${base}`],
    { cwd: at(), limitSeconds: 60, output: "capture" }
  )
  return status.ok ? [] : [status.output.trim()]
}
