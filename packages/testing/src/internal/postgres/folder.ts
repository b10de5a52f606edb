/**
 * The folder of one server and the watchdog that outlives this process.
 *
 * The watchdog is a small shell that reads from a pipe of ours. The pipe ends when this process does, however it does;
 * then the watchdog ends every process whose command line names the folder and removes the folder. Looking for the
 * folder's name, which is random, it can't hit a process that has got a used process id.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import type { Writable } from "node:stream"
import { PostgresServerError, StartFailed } from "../../PostgresServerError.ts"
import { baseEnv, type Identity } from "../command.ts"
import { canReach } from "../identity.ts"

const watchdog = `
trap '' INT TERM HUP
while read -r _; do :; done
[ -d "$FOLDER" ] || exit 0
members() {
  if [ -r /proc/self/cmdline ]; then
    printf '%s' "$FOLDER/data" | grep -lF -f - /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3
  else
    ps -A -ww -o pid= -o args= | awk 'index($0, ENVIRON["FOLDER"] "/data") { print $1 }'
  fi
}
tries=0
while [ $tries -lt 100 ]; do
  found=$(members)
  if [ -z "$found" ]; then
    rm -rf "$FOLDER"
    [ -d "$FOLDER" ] || exit 0
  elif [ $tries -lt 60 ]; then
    kill -QUIT $found 2>/dev/null
    kill -CONT $found 2>/dev/null
  else
    kill -KILL $found 2>/dev/null
  fi
  tries=$((tries + 1))
  sleep 0.1
done
rm -rf "$FOLDER"
`

const watch = (folder: string, identity: Identity | undefined) => {
  const child = spawn("/bin/sh", ["-c", watchdog], {
    ...identity,
    cwd: "/",
    detached: true,
    env: { ...baseEnv(), FOLDER: folder },
    stdio: ["pipe", "ignore", "ignore"]
  })
  child.on("error", () => {})
  child.unref()
  // On Node and Deno a socket, which must not keep the process alive.
  const pipe: Writable & { readonly unref?: () => void } = child.stdin
  pipe.on("error", () => {})
  pipe.unref?.()
  return pipe
}

const temporaryRoot = (identity: Identity | undefined) =>
  [Os.tmpdir(), "/tmp", "/var/tmp"].find((folder) => canReach(identity, folder)) ?? Os.tmpdir()

/** Makes the folder; it is removed with the scope, or by the watchdog. */
export const make = (identity: Identity | undefined): Effect.Effect<string, PostgresServerError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.try({
        try: () => {
          const folder = Fs.realpathSync(Fs.mkdtempSync(Path.join(temporaryRoot(identity), "breakwater-postgres-")))
          if (identity !== undefined) Fs.chownSync(folder, identity.uid, identity.gid)
          return { folder, pipe: watch(folder, identity) }
        },
        catch: (cause) =>
          new PostgresServerError({ reason: new StartFailed({ step: "folder", detail: String(cause) }) })
      }),
      ({ folder, pipe }) =>
        Effect.sync(() => {
          try {
            Fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
          } finally {
            pipe.end() // what could not be removed is the watchdog's
          }
        })
    ),
    ({ folder }) => folder
  )
