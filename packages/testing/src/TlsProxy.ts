/**
 * TLS in front of a server that has none: a listener on 127.0.0.1 that takes it off, and hands the bytes on.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { TestCertificate } from "./TestCertificate.ts"

/**
 * The proxy could not listen.
 *
 * @since 0.1.0
 * @category errors
 */
export class TlsProxyError extends Schema.TaggedError<TlsProxyError>()("TlsProxyError", {
  cause: Schema.Defect()
}) {
  override get message() {
    return "TlsProxy: cannot listen on 127.0.0.1"
  }
}

/**
 * Where clients connect.
 *
 * @since 0.1.0
 * @category models
 */
export interface TlsProxy {
  readonly host: string
  readonly port: number
  /** Connections whose handshake was completed. */
  readonly secured: Effect.Effect<number>
}

/**
 * Starts a proxy; its connections are closed with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly target: { readonly host: string; readonly port: number }
  readonly certificate: Pick<TestCertificate, "cert" | "key">
}): Effect.Effect<TlsProxy, TlsProxyError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<TlsProxy & { readonly close: () => void }, TlsProxyError>((resume) => {
      const sockets = new Set<Net.Socket>()
      let secured = 0
      const keep = (socket: Net.Socket, other: Net.Socket) => {
        sockets.add(socket)
        socket.on("error", () => {}) // "close" follows
        socket.once("close", () => {
          sockets.delete(socket)
          other.destroy()
        })
        socket.pipe(other)
      }
      const { certificate: { cert, key }, target } = options
      const server = Tls.createServer({ cert, key }, (client) => {
        secured++
        const upstream = Net.connect({ host: target.host, port: target.port, noDelay: true })
        keep(client, upstream)
        keep(upstream, client)
      })
      server.on("tlsClientError", (_, socket) => socket.destroy())
      server.on("error", (cause) => resume(Effect.fail(new TlsProxyError({ cause }))))
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed({
          host: "127.0.0.1",
          port: address !== null && typeof address === "object" ? address.port : 0,
          secured: Effect.sync(() => secured),
          close: () => {
            server.close()
            for (const socket of sockets) socket.destroy()
          }
        }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )
