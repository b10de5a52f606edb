/** Certificates of our own making, as every runtime's TLS judges them. */
import { TestCertificate, TlsProxy } from "@breakwater/testing"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Net from "node:net"
import * as Tls from "node:tls"

const echo = Effect.acquireRelease(
  Effect.callback<Net.Server>((resume) => {
    const server = Net.createServer((socket) => void socket.on("error", () => {}).pipe(socket))
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
)

const portOf = (server: Net.Server): number => {
  const address = server.address()
  return address !== null && typeof address === "object" ? address.port : 0
}

/** What comes back, or why nothing does. */
const ask = (options: Tls.ConnectionOptions): Effect.Effect<string> =>
  Effect.callback<string>((resume) => {
    const socket = Tls.connect(options, () => socket.write("hello"))
    socket.once("data", (data: Buffer) => {
      resume(Effect.succeed(data.toString()))
      socket.destroy()
    })
    socket.on("error", (error) => resume(Effect.succeed(error.message)))
    return Effect.sync(() => socket.destroy())
  })

it.live("hands on what comes by TLS, to clients that know its authority and asked for its name", () =>
  Effect.gen(function*() {
    const certificate = yield* TestCertificate.make()
    const target = { host: "127.0.0.1", port: portOf(yield* echo) }
    const proxy = yield* TlsProxy.make({ target, certificate })
    const { host, port } = proxy
    const { ca } = certificate
    assert.strictEqual(yield* ask({ host, port, ca }), "hello")
    assert.strictEqual(yield* ask({ host, port, ca, servername: "localhost" }), "hello")
    assert.strictEqual(yield* proxy.secured, 2)
    const other = yield* TestCertificate.make()
    assert.notStrictEqual(yield* ask({ host, port, ca: other.ca }), "hello")
    assert.notStrictEqual(yield* ask({ host, port, ca, servername: "elsewhere.test" }), "hello")
  }))
