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
import * as Listener from "./internal/listener.ts"
import * as Ports from "./internal/ports.ts"
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
  Effect.gen(function*() {
    const { certificate: { cert, key }, target } = options
    const { port, stats } = yield* Listener.make({
      createServer: (onSocket) =>
        Tls.createServer({ cert, key }, onSocket).on("tlsClientError", (_, socket) => socket.destroy()),
      onSocket: (client) => {
        const upstream = Net.connect({ host: target.host, port: target.port, noDelay: true })
        upstream.on("error", () => {}) // "close" follows
        join(client, upstream)
        join(upstream, client)
      },
      failed: (_, cause) => new TlsProxyError({ cause })
    })
    return { host: Ports.host, port, secured: Effect.map(stats, ({ accepted }) => accepted) }
  })

const join = (from: Net.Socket, to: Net.Socket): void => {
  from.once("close", () => to.destroy())
  from.pipe(to)
}
