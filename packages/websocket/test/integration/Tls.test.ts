/** A server that speaks TLS with a certificate of our own making, and one that does not and must hear nothing. */
import { FakeTcp, TestCertificate, TlsProxy } from "@breakwater/testing"
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { inspect } from "node:util"
import { next, open, until } from "../utils/client.ts"
import { eventually, serve } from "../utils/peers.ts"

/** Of a TLS record that holds a handshake. */
const HANDSHAKE = 0x16

it.live("connects by wss where the certificate is known, and not where it is not", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const certificate = yield* TestCertificate.make()
    const proxy = yield* TlsProxy.make({ target: served, certificate })
    const url = Redacted.make(`wss://127.0.0.1:${proxy.port}/`)
    const socket = yield* open(proxy, { url, tls: { ca: certificate.ca } })
    yield* socket.send("secret")
    assert.deepStrictEqual(yield* next(socket), ["secret"])
    const other = yield* TestCertificate.make()
    for (const tls of [{}, { ca: other.ca }]) {
      const refused = yield* open(proxy, { url, tls })
      const { cause } = yield* until(refused, "Waiting")
      assert.strictEqual(cause.reason._tag, "ConnectFailed")
      assert.match(inspect(cause, { depth: 5 }), /certificate/i)
    }
    assert.strictEqual((yield* served.manager.stats).opened, 1)
    const unchecked = yield* open(proxy, { url, tls: { rejectUnauthorized: false } })
    yield* unchecked.awaitOpen("5 seconds")
  }))

it.live("tells a plain port nothing but a handshake by wss, and nothing at all where ws says ssl=true", () =>
  Effect.gen(function*() {
    let heard: ReadonlyArray<number> = []
    const plain = yield* FakeTcp.make(() => (bytes) => {
      heard = [...heard, ...bytes]
    })
    const handshake = { timeout: "200 millis", headers: { authorization: Redacted.make("s3cret") } } as const
    for (const parameter of ["ssl=true", "tls=true"]) {
      const url = Redacted.make(`ws://127.0.0.1:${plain.port}/feed?${parameter}`)
      const refused = yield* Effect.flip(open(plain, { url, handshake }))
      assert.strictEqual(refused._tag, "ConfigError")
      assert.include(refused.message, "wss means TLS")
    }
    assert.strictEqual((yield* plain.stats).accepted, 0)
    const socket = yield* open(plain, { url: Redacted.make(`wss://127.0.0.1:${plain.port}/feed`), handshake })
    yield* eventually(Effect.sync(() => heard.length > 0))
    yield* until(socket, "Waiting")
    assert.strictEqual(heard[0], HANDSHAKE)
    assert.notMatch(Buffer.from(heard).toString("latin1"), /GET \/|Upgrade: |s3cret/)
  }))
