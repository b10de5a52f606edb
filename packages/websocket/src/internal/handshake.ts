/**
 * Turns a request for an upgrade into an open socket.
 *
 * Not by `HttpServerRequest.upgrade`: the socket that it gives shows neither pings nor how much is buffered, and without
 * these a dead peer and a slow one cannot be told from a healthy one.
 *
 * @internal
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as NodeWS from "@effect/platform-node/NodeWS"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocketError } from "../WebSocketError.ts"
import type { Settings } from "./settings.ts"

/** A request for an upgrade, as Node's `upgrade` event hands it over. */
export interface Upgrade {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

export type Handshake = (upgrade: Upgrade) => Effect.Effect<NodeWS.WebSocket, WebSocketError>

/** A peer that is told why it is refused has this long to hang up. */
const HANG_UP_LIMIT = Duration.seconds(1)

export const make = (settings: Settings): Handshake => {
  const server = new NodeWS.WebSocketServer({
    noServer: true,
    clientTracking: false,
    autoPong: false,
    perMessageDeflate: false,
    maxPayload: settings.maxMessage
  })
  return ({ head, request, socket }) =>
    Effect.suspend(() => {
      let opened: NodeWS.WebSocket | undefined
      if (!socket.destroyed) {
        server.handleUpgrade(request, socket, head, (ws) => {
          // Until somebody takes it over, which may be turns later, it must neither be read nor end the process.
          ws.pause()
          ws.on("error", () => {})
          opened = ws
        })
      }
      if (opened !== undefined) return Effect.succeed(opened)
      // The refusal is on its way. Nobody else may write to the socket until it is gone.
      const failed = new WebSocketError({ _tag: "HandshakeFailed", socket: settings.name })
      return Effect.andThen(gone(socket), Effect.fail(failed))
    })
}

/** Waits until the socket is closed, and closes it when that takes too long. */
export const gone = (socket: Duplex): Effect.Effect<unknown> =>
  Effect.callback<void>((resume) => {
    const done = () => resume(Effect.void)
    if (socket.destroyed) return done()
    socket.once("close", done)
    return Effect.sync(() => socket.off("close", done))
  }).pipe(
    Effect.timeoutOption(HANG_UP_LIMIT),
    Effect.ensuring(Effect.sync(() => socket.destroy()))
  )

/** The peer may send nothing before it has read the answer (RFC 6455, 4.1), so there is no head. */
export const fromHttp = (request: HttpServerRequest, name: string): Effect.Effect<Upgrade, WebSocketError> =>
  Effect.suspend(() => {
    const incoming = NodeHttpServerRequest.toIncomingMessage(request)
    return incoming instanceof IncomingMessage && incoming.headers.upgrade !== undefined
      ? Effect.succeed({ request: incoming, socket: incoming.socket, head: Buffer.alloc(0) })
      : Effect.fail(new WebSocketError({ _tag: "HandshakeFailed", socket: name }))
  })
