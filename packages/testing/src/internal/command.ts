/**
 * Runs a program to its end, within a bound, as another user where one is given.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { inRealTime } from "./realTime.ts"

/** A user other than the one that runs this process. */
export interface Identity {
  readonly uid: number
  readonly gid: number
}

export interface Output {
  /** `undefined`: it could not be run, or did not end in time and was killed. */
  readonly code: number | undefined
  /** The end of what it wrote, to both outputs. */
  readonly tail: string
}

/** What a reader of an error message wants to see of a log. */
export const tailOf = (text: string): string => text.trimEnd().split("\n").slice(-20).join("\n").slice(-4_000)

export const run = (command: string, args: ReadonlyArray<string>, options: {
  readonly within: Duration.Input
  readonly identity?: Identity | undefined
  readonly cwd?: string | undefined
  readonly env?: Record<string, string> | undefined
}): Effect.Effect<Output> =>
  Effect.callback<Output>((resume) => {
    let text = ""
    const child = spawn(command, args, {
      ...options.identity,
      cwd: options.cwd ?? "/",
      env: { ...baseEnv(), ...options.env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    const onData = (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-16_000)
    }
    child.stdout.on("data", onData)
    child.stderr.on("data", onData)
    child.once("error", (error) => resume(Effect.succeed({ code: undefined, tail: error.message })))
    child.once("close", (code) => resume(Effect.succeed({ code: code ?? undefined, tail: tailOf(text) })))
    return Effect.sync(() => child.kill("SIGKILL"))
  }).pipe(
    Effect.timeoutOrElse({
      duration: options.within,
      orElse: () => Effect.succeed({ code: undefined, tail: `${command} did not end in time` })
    }),
    inRealTime
  )

/** No PG* variable of the user's reaches a server of ours, and macOS's Postgres insists on a locale. */
export const baseEnv = (): Record<string, string> => ({ PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" })
