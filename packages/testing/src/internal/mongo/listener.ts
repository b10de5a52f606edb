/**
 * The sockets of a responder: a listener that can be stopped and started on one port, and what is open on it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import { MongoServerError, StartFailed } from "../../MongoServerError.ts"
import * as Ports from "../ports.ts"
import * as Wire from "./wire.ts"

export class Connection {
  readonly id: number
  /** Known from the handshake on. */
  appName: string | undefined
  private readonly socket: Net.Socket
  private readonly timers = new Set<ReturnType<typeof setTimeout>>()

  constructor(id: number, socket: Net.Socket) {
    this.id = id
    this.socket = socket
    socket.once("close", () => {
      for (const timer of this.timers) clearTimeout(timer)
    })
  }

  answer(request: Wire.Request, document: Wire.Document): void {
    if (!request.silent && this.socket.writable) this.socket.write(Wire.reply(request, document))
  }

  /** At once where there is nothing to wait for. */
  after(millis: number, run: () => void): void {
    if (millis <= 0) return run()
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      run()
    }, millis)
    this.timers.add(timer)
  }

  cut(): void {
    this.socket.destroy()
  }
}

export interface Listener {
  readonly port: number
  readonly start: Effect.Effect<void, MongoServerError>
  readonly stop: Effect.Effect<void>
  readonly isRunning: () => boolean
  readonly connections: (appName: string | undefined) => ReadonlyArray<Connection>
  readonly peak: () => number
}

type OnRequest = (connection: Connection, request: Wire.Request) => void

const listen = (port: number, onSocket: (socket: Net.Socket) => void): Effect.Effect<Net.Server, MongoServerError> =>
  Effect.callback((resume) => {
    const server = Net.createServer(onSocket)
    server.once(
      "error",
      (error) =>
        resume(Effect.fail(new MongoServerError({ reason: new StartFailed({ step: "start", detail: String(error) }) })))
    )
    server.listen(port, Ports.host, () => resume(Effect.succeed(server)))
  })

/** Hands on every whole request; what speaks something else is cut off. */
const serve = (connection: Connection, socket: Net.Socket, onRequest: OnRequest): void => {
  let pending: Buffer = Buffer.alloc(0)
  socket.on("data", (chunk: Buffer) => {
    try {
      const { requests, rest } = Wire.take(Buffer.concat([pending, chunk]))
      pending = rest
      for (const request of requests) onRequest(connection, request)
    } catch {
      connection.cut()
    }
  })
}

export const make = (onRequest: OnRequest): Effect.Effect<Listener, MongoServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const open = new Set<Connection>()
    let ids = 0
    let peak = 0
    let server: Net.Server | undefined
    const onSocket = (socket: Net.Socket) => {
      const connection = new Connection(++ids, socket)
      open.add(connection)
      peak = Math.max(peak, open.size)
      socket.setNoDelay(true)
      socket.on("error", () => {}) // "close" follows
      socket.once("close", () => open.delete(connection))
      serve(connection, socket, onRequest)
    }
    const launch = (port: number) =>
      Effect.map(listen(port, onSocket), (listening) => {
        server = listening
        return port
      })
    const stop = Effect.callback<void>((resume) => {
      const ending = server
      server = undefined
      for (const connection of open) connection.cut()
      if (ending === undefined) resume(Effect.void)
      else ending.close(() => resume(Effect.void))
    })
    const port = yield* Effect.acquireRelease(
      Effect.retry(Effect.flatMap(Ports.candidate, launch), { times: Ports.attempts - 1 }),
      () => stop
    )
    return {
      port,
      start: Effect.suspend(() => server === undefined ? Effect.asVoid(launch(port)) : Effect.void),
      stop,
      isRunning: () => server !== undefined,
      connections: (appName) => [...open].filter((one) => appName === undefined || one.appName === appName),
      peak: () => {
        const most = peak
        peak = open.size
        return most
      }
    }
  })
