/** A real server that speaks TLS, with a certificate of our own making. */
import { PoolError } from "@breakwater/core"
import { RedisError } from "@breakwater/redis"
import { RedisServer, TestCertificate } from "@breakwater/testing"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { open } from "../utils/server.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "breakwater-tls-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

const freePort = Effect.callback<number>((resume) => {
  const server = Net.createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const secured = Effect.gen(function*() {
  const path = yield* folder
  const { ca, cert, key } = yield* TestCertificate.make()
  const [certFile, keyFile] = [Path.join(path, "cert.pem"), Path.join(path, "key.pem")]
  Fs.writeFileSync(certFile, cert)
  Fs.writeFileSync(keyFile, key, { mode: 0o600 })
  const port = yield* freePort
  const server = yield* RedisServer.make({
    sources: RedisServer.ownSources,
    settings: { "tls-port": port, "tls-cert-file": certFile, "tls-key-file": keyFile, "tls-auth-clients": "no" }
  })
  const url = (scheme: string, parameters = "") =>
    Redacted.make(`${scheme}://:${Redacted.value(server.password)}@127.0.0.1:${port}${parameters}`)
  return { ca, server, url }
})

describe.skipIf(!TestRedis.ownAvailable)("A Redis that speaks TLS", () => {
  it.live("is used where its certificate is known, and not where it is not", () =>
    Effect.gen(function*() {
      const { ca, server, url } = yield* secured
      yield* Effect.gen(function*() {
        for (const secure of [url("rediss"), url("redis", "?ssl=true"), url("redis", "?tls=true")]) {
          const redis = yield* open({ url: secure, tls: { ca } })
          assert.strictEqual(yield* redis.send("SET", "secure", 1), "OK")
          const other = yield* TestCertificate.make()
          for (const tls of [true, { ca: other.ca }]) {
            const unknown = yield* Effect.flip(
              Effect.scoped(open({ url: secure, tls, pool: { start: "fail-fast" } }))
            )
            const cause = PoolError.isPoolError(unknown) ? unknown.cause : undefined
            assert.isTrue(RedisError.isRedisError(cause) && cause.reason._tag === "ConnectFailed")
            assert.match(String(cause), /certificate/i)
          }
        }
        const unchecked = yield* open({ url: url("rediss"), tls: { rejectUnauthorized: false } })
        assert.strictEqual(yield* unchecked.send("GET", "secure"), "1")
      }).pipe(Effect.provideService(RedisServer.RedisServer, server))
    }).pipe(Effect.scoped), 30_000)
})
