/** A real server that speaks TLS, with a certificate of our own making. */
import { PoolError } from "@breakwater/core"
import { RedisError } from "@breakwater/redis"
import { RedisServer } from "@breakwater/testing"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { execFileSync } from "node:child_process"
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

const certify = (path: string) => {
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
  const files = ["-keyout", Path.join(path, "key.pem"), "-out", Path.join(path, "cert.pem")]
  execFileSync("openssl", [...args, ...files, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], {
    stdio: "ignore"
  })
}

const hasOpenssl = (() => {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" })
    return true
  } catch {
    process.stdout.write("[skipped] redis: no openssl, so no server that speaks TLS\n")
    return false
  }
})()

describe.skipIf(!TestRedis.ownAvailable || !hasOpenssl)("A Redis that speaks TLS", () => {
  it.live("is used where its certificate is known, and not where it is not", () =>
    Effect.gen(function*() {
      const path = yield* folder
      certify(path)
      const port = yield* freePort
      const server = yield* RedisServer.make({
        sources: RedisServer.ownSources,
        settings: {
          "tls-port": port,
          "tls-cert-file": Path.join(path, "cert.pem"),
          "tls-key-file": Path.join(path, "key.pem"),
          "tls-auth-clients": "no"
        }
      })
      const ca = Fs.readFileSync(Path.join(path, "cert.pem"), "utf8")
      const url = (scheme: string, parameters = "") =>
        Redacted.make(`${scheme}://:${Redacted.value(server.password)}@127.0.0.1:${port}${parameters}`)
      yield* Effect.gen(function*() {
        for (const secure of [url("rediss"), url("redis", "?ssl=true"), url("redis", "?tls=true")]) {
          const redis = yield* open({ url: secure, tls: { ca } })
          assert.strictEqual(yield* redis.send("SET", "secure", 1), "OK")
        }
        const unknown = yield* Effect.flip(Effect.scoped(open({ url: url("rediss"), pool: { start: "fail-fast" } })))
        const cause = PoolError.isPoolError(unknown) ? unknown.cause : undefined
        assert.isTrue(RedisError.isRedisError(cause) && cause.reason._tag === "ConnectFailed")
        assert.match(String(cause), /certificate/i)
        const unchecked = yield* open({ url: url("rediss"), tls: { rejectUnauthorized: false } })
        assert.strictEqual(yield* unchecked.send("GET", "secure"), "1")
      }).pipe(Effect.provideService(RedisServer.RedisServer, server))
    }).pipe(Effect.scoped), 30_000)
})
