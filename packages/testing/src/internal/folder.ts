/**
 * The folder of one server and the watchdog that outlives this process.
 *
 * The watchdog is a small shell that makes the folder and then reads from a pipe of ours: there is no moment at which
 * the folder is there and nobody would remove it. The pipe ends when this process does, however it does;
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
import { baseEnv, type Identity } from "./command.ts"
import { canReach } from "./identity.ts"
import { inRealTime } from "./realTime.ts"

export interface Options<E> {
  /** What the server is; part of the folder's name. */
  readonly kind: string
  readonly identity: Identity | undefined
  readonly failed: (detail: string) => E
}

const watchdog = `
trap '' INT TERM HUP PIPE
mkdir -m 700 "$FOLDER" || exit 1
echo made
while read -r _; do :; done
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
  elif [ $tries -lt 20 ]; then
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

/** Starts the watchdog; ready when the folder is made. */
const watch = <E>(folder: string, { failed, identity }: Options<E>): Effect.Effect<Writable, E> =>
  Effect.callback<Writable, E>((resume) => {
    const child = spawn("/bin/sh", ["-c", watchdog], {
      ...identity,
      cwd: "/",
      detached: true,
      env: { ...baseEnv(), FOLDER: folder },
      stdio: ["pipe", "pipe", "ignore"]
    })
    // On Node and Deno a socket, which must not keep the process alive.
    const pipe: Writable & { readonly unref?: () => void } = child.stdin
    const fail = (why: string) => resume(Effect.fail(failed(`cannot make ${folder}: ${why}`)))
    pipe.on("error", () => {})
    child.once("error", (error) => fail(error.message))
    child.once("exit", () => fail("no right to"))
    child.stdout.once("data", () => {
      child.stdout.destroy()
      resume(Effect.succeed(pipe))
    })
    child.unref()
    pipe.unref?.()
  }).pipe(
    Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.fail(failed("the watchdog did not start")) }),
    inRealTime
  )

const freshPath = ({ identity, kind }: Options<unknown>) => {
  const root = [Os.tmpdir(), "/tmp", "/var/tmp"].find((folder) => canReach(identity, folder)) ?? Os.tmpdir()
  return Path.join(root, `breakwater-${kind}-${crypto.randomUUID().slice(0, 8)}`)
}

/** Where a server's files lie, which its command line must name: by it the watchdog finds the server. */
export const dataFolder = (folder: string) => Path.join(folder, "data")

/** Makes the folder; it is removed with the scope, or by the watchdog. */
export const make = <E>(options: Options<E>): Effect.Effect<string, E, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.suspend(() => {
        const folder = freshPath(options)
        return Effect.map(watch(folder, options), (pipe) => ({ folder, pipe }))
      }),
      ({ folder, pipe }) =>
        Effect.sync(() => {
          try {
            Fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
          } catch {
            // What is left is the watchdog's.
          }
          pipe.end()
        })
    ),
    ({ folder }) => folder
  )
