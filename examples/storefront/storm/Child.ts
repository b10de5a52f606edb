/** Processes of this runtime that end with the scope. */
import { Deferred, Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"

/** What Deno must be told; the other runtimes need nothing. */
const permissions = ["--allow-net", "--allow-env", "--allow-read", "--allow-sys"]
const runtimeArgs = "Deno" in globalThis ? ["run", "--quiet", "--node-modules-dir=manual", ...permissions] : []

/**
 * Runs a module of this folder's. Its group is ours, so that Ctrl-C reaches it too; its input stays open until
 * `endInput`, or until this process is gone.
 */
export const start = Effect.fnUntraced(function*(module: string, options: {
  readonly args?: ReadonlyArray<string>
  readonly env?: Record<string, string>
  /** How long it has between the scope's end and being killed. */
  readonly patience: "1 second" | "3 seconds"
}) {
  const ended = yield* Deferred.make<void>()
  const file = fileURLToPath(new URL(module, import.meta.url))
  const handle = yield* ChildProcess.make(process.execPath, [...runtimeArgs, file, ...(options.args ?? [])], {
    env: options.env ?? {},
    extendEnv: true,
    detached: false,
    forceKillAfter: options.patience,
    stdin: { stream: Stream.drain(Stream.fromEffect(Deferred.await(ended))) },
    stderr: "inherit"
  })
  const lines = handle.stdout.pipe(Stream.decodeText(), Stream.splitLines)
  return { handle, lines, endInput: Deferred.succeed(ended, undefined) }
})
