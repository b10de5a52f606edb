/**
 * Finds the programs of servers on this machine or, as the last resort, has Debian's package manager install them.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { run } from "./command.ts"
import type { Missing } from "./sources.ts"

export const isExecutable = (file: string): boolean => {
  try {
    Fs.accessSync(file, Fs.constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The folders of PATH. */
export const path = (): Array<string> =>
  (process.env["PATH"] ?? "").split(Path.delimiter).filter((folder) => folder !== "")

/** The first program of this name on PATH or in the other folders. */
export const find = (name: string, others: ReadonlyArray<string> = []): string | undefined =>
  [...path(), ...others].map((folder) => Path.join(folder, name)).find(isExecutable)

const aptGet = (...args: Array<string>) =>
  run("apt-get", args, { within: "5 minutes", env: { DEBIAN_FRONTEND: "noninteractive" } })

/** Installs a Debian package and looks again: as root, on Debian and its kin. */
export const installed = <A, E>(options: {
  readonly kind: string
  readonly package: string
  /** Keeps the package from starting a server of its own. */
  readonly without: <B>(install: Effect.Effect<B>) => Effect.Effect<B>
  readonly find: Effect.Effect<A | Missing, E>
}): Effect.Effect<A | Missing, E> =>
  Effect.gen(function*() {
    if (process.getuid?.() !== 0) return { why: "needs root" }
    if (!Fs.existsSync("/etc/debian_version")) return { why: "not a Debian" }
    const { kind, package: name } = options
    process.stderr.write(`${kind}: installing Debian's package ${name} for the tests, up to 10 minutes\n`)
    const install = aptGet("install", "-y", "--no-install-recommends", name)
    const output = yield* options.without(Effect.flatMap(install, (first) =>
      first.code === 0 ? Effect.succeed(first) : Effect.andThen(aptGet("update"), install)))
    return output.code === 0 ? yield* options.find : { why: `apt-get install ${name} failed: ${output.tail}` }
  })
