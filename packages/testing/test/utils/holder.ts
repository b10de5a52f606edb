/**
 * Another process that holds a server, in a temporary folder that is only its own: what is left there is its own too.
 */
import { Data, Effect } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { eventually } from "./client.ts"

export class HolderFailed extends Data.TaggedError("HolderFailed")<{ readonly output: string }> {}

const script = fileURLToPath(new URL("../fixtures/hold.ts", import.meta.url))
const runtimeArgs = "Deno" in globalThis ? ["run", "-A"] : []

const commandLines = (): Array<string> => {
  if (!Fs.existsSync("/proc/self/cmdline")) {
    return execFileSync("ps", ["-A", "-ww", "-o", "args="], { encoding: "utf8" }).split("\n")
  }
  return Fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((pid) => {
    try {
      return Fs.readFileSync(`/proc/${pid}/cmdline`, "utf8")
    } catch {
      return ""
    }
  })
}

export const start = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const made = Fs.realpathSync(Fs.mkdtempSync(Path.join(Os.tmpdir(), "breakwater-holder-")))
      Fs.chmodSync(made, 0o777) // the watchdog, who may be another user, removes from it
      return made
    }),
    (made) => Effect.sync(() => Fs.rmSync(made, { recursive: true, force: true }))
  )
  const child: ChildProcess = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [...runtimeArgs, script], {
        env: { ...process.env, TMPDIR: folder },
        stdio: ["ignore", "pipe", "pipe"]
      })
    ),
    (spawned) => Effect.sync(() => spawned.kill("SIGKILL"))
  )
  let output = ""
  const onData = (chunk: Buffer) => {
    output += chunk.toString()
  }
  child.stdout?.on("data", onData)
  child.stderr?.on("data", onData)
  const until = (condition: () => boolean) =>
    Effect.suspend(() => {
      if (child.exitCode !== null) return Effect.fail(new HolderFailed({ output }))
      return Effect.succeed(condition())
    }).pipe(eventually)
  return {
    /** The server accepts connections. */
    up: until(() => output.includes("up on ")),
    /** The folder is there, the server is not yet initialised. */
    begun: until(() => Fs.readdirSync(folder).length > 0),
    kill: (signal: NodeJS.Signals) => Effect.sync(() => void child.kill(signal)),
    /** No file, and no process that names the folder. */
    nothingLeft: eventually(
      Effect.sync(() =>
        Fs.readdirSync(folder).length === 0 && !commandLines().some((line) => line.includes(`${folder}/`))
      )
    )
  }
})
