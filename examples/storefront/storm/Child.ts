/** Processes of this runtime that end with the scope. */
import { Deferred, Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"

export const runtimes = ["node", "bun", "deno"] as const

export type Runtime = (typeof runtimes)[number]

/** This one. */
const here: Runtime = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node"

/** Deno must be told what it may do; the other runtimes need nothing. */
const runtimeArgs: Record<Runtime, ReadonlyArray<string>> = {
  node: [],
  bun: [],
  deno: [
    "run",
    "--quiet",
    "--node-modules-dir=manual",
    "--allow-net",
    "--allow-env",
    "--allow-read",
    "--allow-sys"
  ]
}

const installed = (path: string): string => fileURLToPath(new URL(`../../../node_modules/${path}`, import.meta.url))

/** The binaries themselves: what stands before them in `.bin` would keep signals to itself. */
const programs: Record<Runtime, string> = {
  node: "node",
  bun: installed("bun/bin/bun.exe"),
  deno: installed("deno/deno")
}

/**
 * Runs a module of this folder's. Its group is ours, so that Ctrl-C reaches it too; its input stays open until
 * `endInput`, or until this process is gone.
 */
export const start = Effect.fnUntraced(function*(module: string, options: {
  readonly args?: ReadonlyArray<string>
  readonly env?: Record<string, string>
  /** Default: the one that this process runs on. */
  readonly on?: Runtime | undefined
  /** How long it has between the scope's end and being killed. */
  readonly patience: "1 second" | "3 seconds"
}) {
  const ended = yield* Deferred.make<void>()
  const file = fileURLToPath(new URL(module, import.meta.url))
  const on = options.on ?? here
  const program = on === here ? process.execPath : programs[on]
  const handle = yield* ChildProcess.make(program, [...runtimeArgs[on], file, ...(options.args ?? [])], {
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
