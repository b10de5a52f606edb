/**
 * Finds a Redis to start: on this machine or, as the last resort, by Debian's package manager.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Programs from "../programs.ts"
import type { Missing } from "../sources.ts"

/** The server's program, or why there is none. */
export type Found = { readonly program: string } | Missing

const usual = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]

/** A program that is installed on this machine. */
export const onMachine: Effect.Effect<Found> = Effect.sync(() => {
  const program = Programs.find("redis-server", usual)
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

/** Installs Debian's package: as root, on Debian and its kin. */
export const byApt: Effect.Effect<Found> = Programs.installed({
  kind: "redis",
  package: "redis-server",
  without: withoutService,
  find: onMachine
})
