/**
 * One server process over one data folder: start, stop and the death of a crash.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { baseEnv, type Identity, tailOf } from "./command.ts"
import { inRealTime } from "./realTime.ts"

export interface ServerProcess {
  readonly pid: number
  /** In order: by `signals.stop`, and harder when that takes more than 10 seconds. */
  readonly stop: Effect.Effect<void>
  /** Nothing is written any more: the end of a server whose data nobody needs. */
  readonly abandon: Effect.Effect<void>
  /** SIGKILL, of its children first. */
  readonly kill: Effect.Effect<void>
  readonly isRunning: () => boolean
  /** Waits for its end. */
  readonly exited: Effect.Effect<void>
}

export interface Options<E> {
  readonly command: readonly [program: string, ...args: ReadonlyArray<string>]
  readonly folder: string
  readonly identity: Identity | undefined
  readonly signals: { readonly stop: NodeJS.Signals; readonly abandon: NodeJS.Signals }
  /** Succeeds as soon as the server accepts. */
  readonly probe: Effect.Effect<unknown, E>
  /** What must not appear in an error. */
  readonly secret: string
  readonly failed: (detail: string) => E
}

/** Starts the server and waits until it accepts: 60 seconds at most, a crash's recovery included. */
export const start = <E>(options: Options<E>): Effect.Effect<ServerProcess, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const server = yield* launch(options)
      yield* restore(untilReady(options, server)).pipe(Effect.onError(() => server.kill))
      return server
    })
  ).pipe(inRealTime)

const launch = <E>(options: Options<E>): Effect.Effect<ServerProcess, E> =>
  Effect.callback((resume) => {
    // The shell only redirects: the process keeps its id. A pipe of ours would end when we do.
    const child = spawn("/bin/sh", [
      "-c",
      "exec \"$0\" \"$@\" >>\"$LOG\" 2>&1",
      ...options.command
    ], {
      ...options.identity,
      cwd: options.folder,
      // A session of its own: Ctrl-C is for us, and what follows from it is ours to decide.
      detached: true,
      env: { ...baseEnv(), LOG: Path.join(options.folder, "server.log") },
      stdio: "ignore"
    })
    const exited = Deferred.makeUnsafe<void>()
    child.once("exit", () => Deferred.doneUnsafe(exited, Effect.void))
    child.once("error", (error) => resume(Effect.fail(options.failed(String(error)))))
    child.once("spawn", () => resume(Effect.succeed(fromChild(child, exited, options.signals))))
    child.unref()
  })

const fromChild = (
  child: ChildProcess,
  exited: Deferred.Deferred<void>,
  signals: Options<unknown>["signals"]
): ServerProcess => {
  const pid = child.pid ?? 0
  const isRunning = () => child.exitCode === null && child.signalCode === null
  const signal = (name: NodeJS.Signals, target = pid) => {
    try {
      process.kill(target, name)
    } catch {
      // It has ended meanwhile.
    }
  }
  const ended = (within: number) =>
    Effect.timeoutOption(Deferred.await(exited), within).pipe(Effect.map(() => !isRunning()), inRealTime)
  const whileRunning = <R>(effect: Effect.Effect<void, never, R>) =>
    Effect.suspend(() => isRunning() ? effect : Effect.void)

  const kill = whileRunning(Effect.gen(function*() {
    signal("SIGSTOP") // it must not replace or reap a child while they are listed and killed
    for (const one of childrenOf(pid)) signal("SIGKILL", one)
    signal("SIGKILL")
    yield* ended(10_000)
  }))
  const end = (name: NodeJS.Signals) =>
    whileRunning(Effect.gen(function*() {
      signal(name)
      if (!(yield* ended(10_000))) yield* kill
    }))
  return {
    pid,
    isRunning,
    exited: Deferred.await(exited),
    kill,
    stop: end(signals.stop),
    abandon: end(signals.abandon)
  }
}

/** Only called for a process that is stopped, so the list holds until its end. */
const childrenOf = (pid: number): Array<number> => {
  const pairs = Fs.existsSync("/proc/self/stat")
    ? Fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((name) =>
      [Number(name), parentOf(name)] as const
    )
    : execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n").map((line) => {
      const [child, parent] = line.trim().split(/\s+/).map(Number)
      return [child ?? 0, parent] as const
    })
  return pairs.flatMap(([child, parent]) => parent === pid ? [child] : [])
}

const parentOf = (pid: string): number | undefined => {
  try {
    // "pid (name) state ppid …", and a name may hold spaces and brackets.
    const stat = Fs.readFileSync(`/proc/${pid}/stat`, "utf8")
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])
  } catch {
    return undefined
  }
}

const untilReady = <E>(options: Options<E>, server: ServerProcess) => {
  const accepts = options.probe.pipe(
    Effect.retry({ schedule: Schedule.spaced(20) }),
    Effect.asVoid,
    Effect.timeoutOrElse({
      duration: "60 seconds",
      orElse: () => Effect.fail(options.failed(`no connection accepted in 60 seconds\n${readLog(options)}`))
    })
  )
  // Whoever listens on the port in its stead may never answer.
  return Effect.raceFirst(
    accepts,
    Effect.andThen(server.exited, Effect.suspend(() => Effect.fail(options.failed(readLog(options)))))
  )
}

const readLog = ({ folder, secret }: Options<unknown>): string => {
  try {
    return tailOf(Fs.readFileSync(Path.join(folder, "server.log"), "utf8")).replaceAll(secret, "<redacted>")
  } catch {
    return "the server wrote no log"
  }
}
