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
import type { ServerProcess } from "./serverProcess.ts"

export interface Controls<E> {
  readonly pid: Effect.Effect<number, E>
  readonly kill: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  readonly start: Effect.Effect<void, E>
  readonly restart: Effect.Effect<void, E>
}

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
