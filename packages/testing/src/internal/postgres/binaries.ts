/**
 * Finds a Postgres to start: on this machine, in the npm package, or, as the last resort, by Debian's package manager.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { PostgresServerError } from "../../PostgresServerError.ts"
import { canReach, serverIdentity } from "../identity.ts"
import * as Programs from "../programs.ts"
import type { Missing } from "../sources.ts"
import * as Embedded from "./embedded.ts"
import { errors } from "./errors.ts"

/** The folder that holds `postgres` and `initdb`, or why there is none. */
export type Found = { readonly bin: string } | Missing

/** Folders that match a path with one `*`, the highest version first. */
const matching = (pattern: string): Array<string> => {
  const [before = "", after = ""] = pattern.split("*")
  const parent = Path.dirname(`${before}x`)
  const prefix = Path.basename(`${before}x`).slice(0, -1)
  try {
    return Fs.readdirSync(parent)
      .filter((name) => name.startsWith(prefix))
      .toSorted((a, b) => b.localeCompare(a, "en", { numeric: true }))
      .map((name) => Path.join(parent, name) + after)
  } catch {
    return []
  }
}

const patterns = [
  "/usr/lib/postgresql/*/bin",
  "/usr/pgsql-*/bin",
  "/opt/homebrew/opt/postgresql*/bin",
  "/usr/local/opt/postgresql*/bin",
  "/Applications/Postgres.app/Contents/Versions/*/bin"
]

/** Binaries that are installed on this machine. */
export const onMachine: Effect.Effect<Found> = Effect.sync(() => {
  const identity = serverIdentity()
  let unreachable: string | undefined
  for (const folder of [...Programs.path(), ...patterns.flatMap(matching)]) {
    if (!["postgres", "initdb"].every((name) => Programs.isExecutable(Path.join(folder, name)))) continue
    // Links on PATH lead to the folder that has the server's libraries and templates beside it.
    const bin = Path.dirname(Fs.realpathSync(Path.join(folder, "postgres")))
    if (canReach(identity, bin)) return { bin }
    unreachable = bin
  }
  return {
    why: unreachable === undefined
      ? "no postgres and initdb on PATH or in the usual folders"
      : `${unreachable} can't be reached by a user without root's rights`
  }
})

/** Binaries from the optional npm dependency. */
export const inPackage: Effect.Effect<Found, PostgresServerError> = Effect.try({
  try: () => Embedded.locate(serverIdentity()),
  catch: (cause) => errors.startFailed("install", `cannot copy the npm package's Postgres: ${String(cause)}`)
})

const clusterConf = "/etc/postgresql-common/createcluster.conf"
const packagedConf = "/usr/share/postgresql-common/createcluster.conf"

/**
 * Debian's package makes and starts a cluster on port 5432 when it is installed, unless this file forbids it. It is put
 * back to what the package ships afterwards.
 */
const withoutCluster = <A>(install: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.suspend(() => {
    if (Fs.existsSync(clusterConf)) return install
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        Fs.mkdirSync(Path.dirname(clusterConf), { recursive: true })
        Fs.writeFileSync(clusterConf, "create_main_cluster = false\n")
      }),
      () => install,
      () =>
        Effect.sync(() => {
          if (Fs.existsSync(packagedConf)) Fs.copyFileSync(packagedConf, clusterConf)
          else Fs.rmSync(clusterConf, { force: true })
        })
    )
  })

/** Installs Debian's package: as root, on Debian and its kin. */
export const byApt: Effect.Effect<Found> = Programs.installed({
  kind: "postgres",
  package: "postgresql",
  without: withoutCluster,
  find: onMachine
})
