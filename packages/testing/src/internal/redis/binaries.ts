/**
 * Finds a Redis to start: on this machine or, as the last resort, by Debian's package manager.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { run } from "../command.ts"

/** The server's program, or why there is none. */
export type Found = { readonly program: string } | { readonly why: string }

const usual = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]

const isExecutable = (file: string) => {
  try {
    Fs.accessSync(file, Fs.constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A program that is installed on this machine. */
export const onMachine: Effect.Effect<Found> = Effect.sync(() => {
  const path = (process.env["PATH"] ?? "").split(Path.delimiter).filter((folder) => folder !== "")
  const program = [...path, ...usual].map((folder) => Path.join(folder, "redis-server")).find(isExecutable)
  return program === undefined ? { why: "no redis-server on PATH or in the usual folders" } : { program }
})

const policy = "/usr/sbin/policy-rc.d"

/** Debian's package starts a server on port 6379 when it is installed, unless this file forbids it. */
const withoutService = <A>(install: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.suspend(() => {
    if (Fs.existsSync(policy)) return install
    return Effect.acquireUseRelease(
      Effect.sync(() => Fs.writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 })),
      () => install,
      () => Effect.sync(() => Fs.rmSync(policy, { force: true }))
    )
  })

const aptGet = (...args: Array<string>) =>
  run("apt-get", args, { within: "5 minutes", env: { DEBIAN_FRONTEND: "noninteractive" } })

const install = withoutService(Effect.gen(function*() {
  const args = ["install", "-y", "--no-install-recommends", "redis-server"]
  const first = yield* aptGet(...args)
  if (first.code === 0) return first
  yield* aptGet("update")
  return yield* aptGet(...args)
}))

/** Installs Debian's package: as root, on Debian and its kin. */
export const byApt: Effect.Effect<Found> = Effect.suspend(() => {
  if (process.getuid?.() !== 0) return Effect.succeed({ why: "needs root" })
  if (!Fs.existsSync("/etc/debian_version")) return Effect.succeed({ why: "not a Debian" })
  process.stderr.write("redis: installing Debian's package redis-server for the tests, up to 10 minutes\n")
  return Effect.flatMap(
    install,
    (output): Effect.Effect<Found> =>
      output.code === 0 ? onMachine : Effect.succeed({ why: `apt-get install redis-server failed: ${output.tail}` })
  )
})
