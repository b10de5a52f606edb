/** An upstream that speaks TLS with a certificate of our own making, and one that does not and must hear nothing. */
import { FakeHttp, FakeTcp, TestCertificate, TlsProxy } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { eventually, failureOf, open, textOf } from "../utils/http.ts"

/** Of a TLS record that holds a handshake. */
const HANDSHAKE = 0x16

describe("An upstream that speaks TLS", () => {
  it.live("is used where its certificate is known, and not where it is not", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const certificate = yield* TestCertificate.make()
      const proxy = yield* TlsProxy.make({ target: server, certificate })
      for (const host of ["localhost", "127.0.0.1"]) {
        const url = Redacted.make(`https://app:s3cret@${host}:${proxy.port}`)
        const http = yield* open({ url, tls: { ca: certificate.ca } })
        assert.strictEqual(yield* textOf(http, "/"), "ok")
        assert.strictEqual((yield* http.health).status, "healthy")
        const other = yield* TestCertificate.make()
        for (const tls of [{}, { ca: other.ca }]) {
          const before = (yield* server.stats).requests
          const failure = yield* failureOf((yield* open({ url, tls })).client.get("/"))
          assert.strictEqual(failure.reason._tag, "ConnectFailed")
          assert.match(String("cause" in failure.reason ? failure.reason.cause : ""), /certificate/i)
          assert.strictEqual((yield* server.stats).requests, before)
        }
        const unchecked = yield* open({ url, tls: { rejectUnauthorized: false } })
        assert.strictEqual(yield* textOf(unchecked, "/"), "ok")
      }
    }))
})

describe("A plain port where TLS is asked for", () => {
  it.live("hears a handshake by https, and nothing at all of a URL with ssl=true", () =>
    Effect.gen(function*() {
      let heard: ReadonlyArray<number> = []
      const plain = yield* FakeTcp.make(() => (bytes) => {
        heard = [...heard, ...bytes]
      })
      const address = `app:s3cret@127.0.0.1:${plain.port}`
      const refused = yield* Effect.flip(open({ url: Redacted.make(`http://${address}/?ssl=true`) }))
      assert.strictEqual(refused._tag, "ConfigError")
      assert.strictEqual((yield* plain.stats).accepted, 0)
      const http = yield* open({ url: Redacted.make(`https://${address}`), pool: { dial: { timeout: "200 millis" } } })
      const asking = yield* Effect.forkChild(Effect.exit(http.client.get("/")))
      yield* eventually(Effect.sync(() => heard.length > 0))
      asking.interruptUnsafe()
      assert.strictEqual(heard[0], HANDSHAKE)
      assert.notMatch(Buffer.from(heard).toString("latin1"), /GET \/|authorization:/)
    }))
})
