/**
 * One Postgres process at a time over one data folder: start, stop and the death of a crash.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { PostgresServerError, StartFailed } from "../../PostgresServerError.ts"
import { baseEnv, type Identity, tailOf } from "../command.ts"
import { inRealTime } from "../realTime.ts"

export interface Postmaster {
  readonly pid: number
  /** Fast: open transactions are rolled back, sessions told. Harder when that takes more than 10 seconds. */
  readonly stop: Effect.Effect<void>
  /** Nothing is written any more: the end of a server whose data nobody needs. */
  readonly abandon: Effect.Effect<void>
  /** SIGKILL, of its children first. */
  readonly kill: Effect.Effect<void>
  readonly isRunning: () => boolean
  /** Waits for its end. */
  readonly exited: Effect.Effect<void>
}

export interface Options {
  readonly bin: string
  readonly folder: string
  readonly port: number
  readonly identity: Identity | undefined
  /** Succeeds as soon as the server accepts. */
  readonly probe: Effect.Effect<unknown, PostgresServerError>
  /** What must not appear in an error. */
  readonly secret: string
}

export const dataFolder = (folder: string) => Path.join(folder, "data")

/** Starts the server and waits until it accepts: 60 seconds at most, a crash's recovery included. */
export const start = (options: Options): Effect.Effect<Postmaster, PostgresServerError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const postmaster = yield* launch(options)
      yield* restore(untilReady(options, postmaster)).pipe(Effect.onError(() => postmaster.kill))
      return postmaster
    })
  ).pipe(inRealTime)

const launch = (options: Options): Effect.Effect<Postmaster, PostgresServerError> =>
  Effect.callback((resume) => {
    // The shell only redirects: the process keeps its id. A pipe of ours would end when we do.
    const child = spawn("/bin/sh", [
      "-c",
      "exec \"$0\" \"$@\" >>\"$LOG\" 2>&1",
      Path.join(options.bin, "postgres"),
      "-D",
      dataFolder(options.folder),
      "-p",
      String(options.port)
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
    child.once("error", (error) => resume(Effect.fail(failed(String(error)))))
    child.once("spawn", () => resume(Effect.succeed(fromChild(child, exited))))
    child.unref()
  })

const fromChild = (child: ChildProcess, exited: Deferred.Deferred<void>): Postmaster => {
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
  return { pid, isRunning, exited: Deferred.await(exited), kill, stop: end("SIGINT"), abandon: end("SIGQUIT") }
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

const untilReady = (options: Options, postmaster: Postmaster) => {
  const accepts = options.probe.pipe(
    Effect.retry({ schedule: Schedule.spaced(20) }),
    Effect.asVoid,
    Effect.timeoutOrElse({
      duration: "60 seconds",
      orElse: () => Effect.fail(failed(`no connection accepted in 60 seconds\n${readLog(options)}`))
    })
  )
  // Whoever listens on the port in its stead may never answer.
  return Effect.raceFirst(
    accepts,
    Effect.andThen(postmaster.exited, Effect.suspend(() => Effect.fail(failed(readLog(options)))))
  )
}

const readLog = ({ folder, secret }: Options): string => {
  try {
    return tailOf(Fs.readFileSync(Path.join(folder, "server.log"), "utf8")).replaceAll(secret, "<redacted>")
  } catch {
    return "the server wrote no log"
  }
}

const failed = (detail: string) => new PostgresServerError({ reason: new StartFailed({ step: "start", detail }) })
