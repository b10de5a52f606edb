/** Child processes with a bounded life, which end with this process. */
import { type ChildProcess, spawn } from "node:child_process"
import * as CommandLine from "../commandLine.ts"

const GRACE_MS = 5_000
const KEPT_OUTPUT = 4_000_000

export interface Options {
  readonly cwd?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly limitSeconds: number
  /** Ends it when it has written nothing for so long, as one that spins. */
  readonly silentSeconds?: number | undefined
  /** `inherit` hands over the terminal, `tee` shows and keeps the output, `capture` only keeps it. */
  readonly output: "inherit" | "tee" | "capture"
}

export interface Result {
  readonly ok: boolean
  /** What to say about the end when it was not a plain success. */
  readonly ending: string
  readonly code: number
  readonly stdout: string
  /** Standard output and standard error as they came. */
  readonly output: string
  readonly seconds: number
}

/** Thrown instead of a result after Ctrl-C or a termination, so that clean-up runs and nothing further starts. */
export class Interrupted extends Error {
  readonly signal: NodeJS.Signals
  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`)
    this.signal = signal
  }
}

const running = new Set<ChildProcess>()
let interruptedBy: NodeJS.Signals | undefined

const endChild = (child: ChildProcess) => {
  child.kill("SIGTERM")
  setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref()
}

const onSignal = (signal: NodeJS.Signals) => {
  interruptedBy ??= signal
  for (const child of running) {
    // Ctrl-C and a hang-up have reached the children already: they are sent to the whole process group.
    if (signal === "SIGTERM") endChild(child)
    else setTimeout(() => endChild(child), GRACE_MS).unref()
  }
}

/** Runs a task to its exit code; to be called once, by the entry of the task. */
export const main = async (task: () => Promise<number>): Promise<void> => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal)
  try {
    process.exitCode = await task()
  } catch (error) {
    if (error instanceof Interrupted) {
      process.exitCode = 1
      process.removeAllListeners(error.signal)
      process.kill(process.pid, error.signal)
    } else {
      process.exitCode = CommandLine.explain(error)
    }
  }
}

const describeEnding = (code: number | null, signal: NodeJS.Signals | null, expired: string | undefined) => {
  if (expired !== undefined) return expired
  return signal === null ? `exit code ${code}` : `ended by ${signal}`
}

/** Runs a program to its end or its time limit. Fails only when it could not be started or when we are interrupted. */
export const run = (command: string, args: ReadonlyArray<string>, options: Options): Promise<Result> =>
  new Promise((resolve, reject) => {
    if (interruptedBy !== undefined) return reject(new Interrupted(interruptedBy))
    const began = performance.now()
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: options.output === "inherit" ? "inherit" : ["ignore", "pipe", "pipe"]
    })
    running.add(child)
    let stdout = ""
    let output = ""
    let expired: string | undefined
    const keep = (chunk: Buffer, sink: NodeJS.WriteStream) => {
      silence?.refresh()
      output = (output + chunk).slice(-KEPT_OUTPUT)
      if (options.output === "tee") sink.write(chunk)
    }
    child.stdout?.on("data", (chunk: Buffer) => {
      stdout = (stdout + chunk).slice(-KEPT_OUTPUT)
      keep(chunk, process.stdout)
    })
    child.stderr?.on("data", (chunk: Buffer) => keep(chunk, process.stderr))
    const expire = (how: string) => {
      expired ??= how
      endChild(child)
      // A grandchild that holds the pipes open must not hold us.
      setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, GRACE_MS + 1_000).unref()
    }
    const { limitSeconds, silentSeconds } = options
    const limit = setTimeout(() => expire(`did not end within ${limitSeconds} s`), limitSeconds * 1000)
    const silence = silentSeconds === undefined
      ? undefined
      : setTimeout(() => expire(`wrote nothing for ${silentSeconds} s`), silentSeconds * 1000)
    const done = () => {
      clearTimeout(limit)
      clearTimeout(silence)
      running.delete(child)
    }
    child.on("error", (error) => {
      done()
      reject(error)
    })
    child.on("close", (code, signal) => {
      done()
      // A program that has the terminal is the task itself: how it answers Ctrl-C is the result.
      if (interruptedBy !== undefined && options.output !== "inherit") return reject(new Interrupted(interruptedBy))
      resolve({
        ok: code === 0 && expired === undefined,
        ending: describeEnding(code, signal, expired),
        code: code ?? 1,
        stdout,
        output,
        seconds: (performance.now() - began) / 1000
      })
    })
  })
