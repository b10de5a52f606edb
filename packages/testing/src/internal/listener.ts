/**
 * A listening socket on 127.0.0.1 that comes and goes on one port, and the connections that it accepted: how many there
 * are, the most there were, and how many came. Every fake server counts by it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Ports from "./ports.ts"
import { inRealTime } from "./realTime.ts"

/**
 * The connections since the server was made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Connections that are open now. */
  readonly open: number
  /** The most that were open at once. */
  readonly peak: number
  /** Connections accepted in total. */
  readonly accepted: number
}

/**
 * A fake server as it stands in the network, and what may befall it there.
 *
 * @since 0.1.0
 * @category models
 */
export interface FakeServer<E> {
  readonly host: string
  readonly port: number
  /** Ends every open connection with a RST. */
  readonly cut: Effect.Effect<void>
  /** Refuses new connections; open ones stay. */
  readonly refuse: Effect.Effect<void>
  /** As when its process is killed: refuses, and cuts. */
  readonly kill: Effect.Effect<void>
  /** Listens again, on the same port. */
  readonly restore: Effect.Effect<void, E>
}

export type Ending = "destroy" | "resetAndDestroy"

export interface Listener<E> {
  readonly port: number
  /** Nothing when it listens already. */
  readonly open: Effect.Effect<void, E>
  /** Refuses new connections; open ones stay. */
  readonly close: Effect.Effect<void>
  /** Ends every open connection, with a FIN or a RST; done when none is left of them. */
  readonly end: (by: Ending) => Effect.Effect<void>
  readonly isListening: () => boolean
  readonly stats: Effect.Effect<Stats>
}

export interface Options<E> {
  readonly onSocket: (socket: Net.Socket) => void
  readonly failed: (port: number, cause: unknown) => E
  /** Default: of TCP, where the end of a client ends its connection. */
  readonly createServer?: ((onSocket: (socket: Net.Socket) => void) => Net.Server) | undefined
}

/** Listens on a port that was free, until the scope closes, and with it every connection. */
export const make = <E>(options: Options<E>): Effect.Effect<Listener<E>, E, Scope.Scope> =>
  Effect.gen(function*() {
    const sockets = new Set<Net.Socket>()
    const counts = { peak: 0, accepted: 0 }
    const onSocket = (socket: Net.Socket) => {
      sockets.add(socket)
      counts.accepted++
      counts.peak = Math.max(counts.peak, sockets.size)
      socket.on("error", () => {}) // "close" follows
      socket.once("close", () => sockets.delete(socket))
      options.onSocket(socket)
    }
    let server: Net.Server | undefined
    const open = (port: number) =>
      Effect.suspend(() =>
        server !== undefined ? Effect.void : Effect.map(listening(port, { ...options, onSocket }), (opened) => {
          server = opened
        })
      ).pipe(Effect.uninterruptible)
    const close = Effect.sync(() => {
      server?.close()
      server = undefined
    })
    const end = (by: Ending) =>
      Effect.suspend(() =>
        Effect.forEach(Array.from(sockets), (socket) => closed(socket, by), { concurrency: "unbounded", discard: true })
      ).pipe(Effect.timeoutOption("5 seconds"), Effect.asVoid, inRealTime)
    yield* Effect.addFinalizer(() => Effect.andThen(close, end("destroy")))
    const port = yield* Ports.candidate.pipe(Effect.tap(open), Effect.retry({ times: Ports.attempts - 1 }))
    return {
      port,
      open: open(port),
      close,
      end,
      isListening: () => server !== undefined,
      stats: Effect.sync(() => ({ open: sockets.size, ...counts }))
    }
  })

export const fakeServer = <E>({ close, end, open, port }: Listener<E>): FakeServer<E> => {
  const cut = end("resetAndDestroy")
  return { host: Ports.host, port, cut, refuse: close, kill: Effect.andThen(close, cut), restore: open }
}

const closed = (socket: Net.Socket, by: Ending) =>
  Effect.callback<void>((resume) => {
    socket.once("close", () => resume(Effect.void))
    socket[by]()
  })

const ofTcp: NonNullable<Options<never>["createServer"]> = (onSocket) => Net.createServer({ noDelay: true }, onSocket)

const listening = <E>(port: number, { createServer = ofTcp, failed, onSocket }: Options<E>) =>
  Effect.callback<Net.Server, E>((resume) => {
    const server = createServer((socket) => {
      // Accepted by the kernel before the socket was closed.
      if (server.listening) onSocket(socket)
      else socket.resetAndDestroy()
    })
    server.on("error", (cause) => resume(Effect.fail(failed(port, cause))))
    server.listen(port, Ports.host, () => resume(Effect.succeed(server)))
    return Effect.sync(() => server.close())
  })
