/**
 * A server that is started on a free port and may then be killed and started again on the same one.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Net from "node:net"
import * as Ports from "./ports.ts"
import { inRealTime } from "./realTime.ts"
import type { Errors } from "./serverErrors.ts"
import type { ServerProcess } from "./serverProcess.ts"

/**
 * What a test can do to a server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Controls<E> {
  /** Not started here: `pid`, `kill`, `stop`, `start` and `restart` fail with `NotOurs`. */
  readonly given: boolean
  /** The process id; `NotRunning` while the server is down. */
  readonly pid: Effect.Effect<number, E>
  /** SIGKILL, of its children too, as in a crash. Nothing when it is down already. */
  readonly kill: Effect.Effect<void, E>
  /** In order: sessions are told and ended. Nothing when it is down already. */
  readonly stop: Effect.Effect<void, E>
  /** On the same port; done when it accepts connections. Nothing when it runs already. */
  readonly start: Effect.Effect<void, E>
  /** `stop`, then `start`. */
  readonly restart: Effect.Effect<void, E>
}

/** Of a server that others have started. */
export const refused = <E>({ notOurs }: Errors<E>): Controls<E> => ({
  given: true,
  pid: Effect.fail(notOurs("pid")),
  kill: Effect.fail(notOurs("kill")),
  stop: Effect.fail(notOurs("stop")),
  start: Effect.fail(notOurs("start")),
  restart: Effect.fail(notOurs("restart"))
})

export interface Options<E extends Error> {
  readonly start: (port: number) => Effect.Effect<ServerProcess, E>
  readonly notRunning: () => E
  readonly failed: (detail: string) => E
}

/** Starts the server; the process of the moment ends with the scope. */
export const make = <E extends Error>(
  options: Options<E>
): Effect.Effect<{ readonly port: number; readonly controls: Controls<E> }, E, Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* makeServer(options.start)
    const port = yield* freePort(options.failed).pipe(
      Effect.tap(server.launch),
      // The port may have been taken since it was found free.
      Effect.retry({ times: 2, while: (error) => /could not bind|in use/i.test(error.message) })
    )
    return { port, controls: controlsOf(server, port, options.notRunning) }
  })

interface Server<E> {
  readonly running: () => ServerProcess | undefined
  readonly launch: (port: number) => Effect.Effect<void, E>
}

const makeServer = <E>(
  start: (port: number) => Effect.Effect<ServerProcess, E>
): Effect.Effect<Server<E>, never, Scope.Scope> =>
  Effect.gen(function*() {
    let current: ServerProcess | undefined
    yield* Effect.addFinalizer(() => current?.abandon ?? Effect.void)
    return {
      running: () => current?.isRunning() === true ? current : undefined,
      launch: (port: number) =>
        Effect.uninterruptible(Effect.map(start(port), (started) => {
          current = started
        }))
    }
  })

const controlsOf = <E>({ launch, running }: Server<E>, port: number, notRunning: () => E): Controls<E> => {
  const oneAtATime = Semaphore.makeUnsafe(1).withPermits(1)
  const stop = Effect.suspend(() => running()?.stop ?? Effect.void)
  const start = Effect.suspend(() => running() === undefined ? launch(port) : Effect.void).pipe(
    // Children of a server that was killed from outside may hold its memory for a moment longer.
    Effect.retry({ times: 3, schedule: Schedule.spaced("300 millis") }),
    inRealTime
  )
  return {
    given: false,
    pid: Effect.suspend(() => {
      const pid = running()?.pid
      return pid === undefined ? Effect.fail(notRunning()) : Effect.succeed(pid)
    }),
    kill: oneAtATime(Effect.suspend(() => running()?.kill ?? Effect.void)),
    stop: oneAtATime(stop),
    start: oneAtATime(start),
    restart: oneAtATime(Effect.andThen(stop, start))
  }
}

const freePort = <E>(failed: (detail: string) => E): Effect.Effect<number, E> =>
  Ports.candidate.pipe(
    Effect.tap((port) =>
      Effect.callback<void, E>((resume) => {
        const server = Net.createServer()
        server.once("error", (error) => resume(Effect.fail(failed(String(error)))))
        server.listen(port, Ports.host, () => server.close(() => resume(Effect.void)))
      })
    ),
    Effect.retry({ times: Ports.attempts - 1 })
  )
