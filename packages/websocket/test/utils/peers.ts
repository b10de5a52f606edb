/** A manager behind a server of its own on loopback, and plain peers that talk to it. */
import { Backends } from "@breakwater/core"
import { ConnectionManager, type WebSocketError } from "@breakwater/websocket"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeWS from "@effect/platform-node/NodeWS"
import { Effect, Logger, Queue, References, type Scope, Stream } from "effect"
import { HttpServer, HttpServerRequest } from "effect/http"
import { createServer } from "node:http"

export { eventually } from "@breakwater/testing/Eventually"

export const quiet = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  effect.pipe(Effect.provide(Logger.layer([])), Effect.provideService(References.MinimumLogLevel, "None"))

export const echo = (connection: ConnectionManager.Connection) =>
  Stream.runForEach(connection.messages, (message) => connection.send(message))

export type Handler = (
  connection: ConnectionManager.Connection
) => Effect.Effect<unknown, WebSocketError.WebSocketError>

/** Keys come from the path: `/alice` connects as alice. */
export const serve = (
  options: Partial<ConnectionManager.Options> = {},
  handler: Handler = echo
): Effect.Effect<
  { readonly manager: ConnectionManager.ConnectionManager; readonly host: string; readonly port: number },
  never,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const server = yield* Effect.orDie(
      NodeHttpServer.make(createServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: 100 })
    )
    const manager = yield* Backends.isolated(ConnectionManager.make({ name: "feed", ...options }))
    const app = Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) => {
      const key = url.slice(1)
      return manager.upgrade(handler, key === "" ? {} : { key })
    })
    yield* Effect.provideService(HttpServer.serveEffect(app), HttpServer.HttpServer, server)
    yield* Effect.addFinalizer(() => manager.drain("1 second"))
    return { manager, host: "127.0.0.1", port: "port" in server.address ? server.address.port : 0 }
  }).pipe(quiet)

export interface Peer {
  readonly ws: NodeWS.WebSocket
  readonly next: Effect.Effect<string>
  readonly closed: Effect.Effect<{ readonly code: number; readonly reason: string }>
}

/** Texts of the size of these tests come in one piece. */
const textOf = (data: NodeWS.RawData): string => Buffer.isBuffer(data) ? data.toString() : ""

/** Connects, and gives up with the scope. */
export const connect = (
  address: { readonly host: string; readonly port: number },
  path = ""
): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const messages = yield* Queue.unbounded<string>()
    const closed = Promise.withResolvers<{ code: number; reason: string }>()
    const ws = yield* Effect.acquireRelease(
      Effect.callback<NodeWS.WebSocket>((resume) => {
        const socket = new NodeWS.WebSocket(`ws://${address.host}:${address.port}/${path}`, {
          perMessageDeflate: false
        })
        socket.on("open", () => resume(Effect.succeed(socket)))
        socket.on("message", (data) => Queue.offerUnsafe(messages, textOf(data)))
        socket.on("error", () => {})
        socket.on("close", (code, reason) => closed.resolve({ code, reason: String(reason) }))
      }),
      (socket) => Effect.sync(() => socket.terminate())
    )
    return { ws, next: Queue.take(messages), closed: Effect.promise(() => closed.promise) }
  })
