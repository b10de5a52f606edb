/**
 * The connections of a responder: whole requests come in, answers go out.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Net from "node:net"
import type { MongoServerError } from "../../MongoServerError.ts"
import * as Listener from "../listener.ts"
import * as Timer from "../timer.ts"
import { errors } from "./errors.ts"
import * as Wire from "./wire.ts"

export class Connection {
  readonly id: number
  /** Known from the handshake on. */
  appName: string | undefined
  private readonly socket: Net.Socket
  /** Called off when the connection ends. */
  readonly after: (millis: number, run: () => void) => void

  constructor(id: number, socket: Net.Socket, timer: Timer.Timer) {
    this.id = id
    this.socket = socket
    this.after = Timer.ofSocket(socket, timer)
  }

  answer(request: Wire.Request, document: Wire.Document): void {
    if (!request.silent && this.socket.writable) this.socket.write(Wire.reply(request, document))
  }

  cut(): void {
    this.socket.destroy()
  }
}

export interface Responder extends Listener.Listener<MongoServerError> {
  /** Those of the application of this name, or all. */
  readonly connections: (appName: string | undefined) => ReadonlyArray<Connection>
}

type OnRequest = (connection: Connection, request: Wire.Request) => void

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

export const make = (onRequest: OnRequest): Effect.Effect<Responder, MongoServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const timer = Timer.make(yield* Clock.Clock)
    const open = new Set<Connection>()
    let ids = 0
    const onSocket = (socket: Net.Socket) => {
      const connection = new Connection(++ids, socket, timer)
      open.add(connection)
      socket.once("close", () => open.delete(connection))
      serve(connection, socket, onRequest)
    }
    const listener = yield* Listener.make({
      onSocket,
      failed: (port, cause) => errors.startFailed("start", `port ${port}: ${String(cause)}`)
    })
    return {
      ...listener,
      connections: (appName) => [...open].filter((one) => appName === undefined || one.appName === appName)
    }
  })
