/** A server that speaks TLS with a certificate of our own making, and one that does not and must hear nothing. */
import { PoolError } from "@breakwater/core"
import { FakeTcp, TestCertificate, TlsProxy } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Redacted } from "effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { eventually, find, open, server, urlOf } from "../utils/database.ts"

/** Of a TLS record that holds a handshake. */
const HANDSHAKE = 0x16

const driver = { serverSelectionTimeout: "500 millis" } as const

/** The driver reads authorities from a file. */
const fileOf = (text: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "breakwater-tls-"))),
      (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
    ),
    (path) => {
      const file = Path.join(path, "ca.pem")
      Fs.writeFileSync(file, text)
      return file
    }
  )

const asked = ["tls=true", "ssl=true"]

describe("A MongoDB that speaks TLS", () => {
  it.live.each(asked)(
    "is used where its certificate is known, and not where it is not: %s",
    (parameter) =>
      Effect.gen(function*() {
        const certificate = yield* TestCertificate.make()
        const { hostname, port } = new URL(Redacted.value((yield* server).url))
        const proxy = yield* TlsProxy.make({ target: { host: hostname, port: Number(port) }, certificate })
        // One server behind another address: the driver must not go to where it says it is.
        const url = urlOf(proxy, `/shop?directConnection=true&${parameter}`)
        const mongo = yield* open(url, { driver: { tlsCAFile: yield* fileOf(certificate.ca) } })
        yield* mongo.use(find)
        assert.isAtLeast(yield* proxy.secured, 1)
        assert.strictEqual((yield* mongo.health).status, "healthy")
        const secured = yield* proxy.secured
        const other = yield* TestCertificate.make()
        for (const trust of [{}, { tlsCAFile: yield* fileOf(other.ca) }]) {
          const refused = yield* Effect.flip(
            open(url, { pool: { start: "fail-fast" }, driver: { ...driver, ...trust } })
          )
          assert.isTrue(PoolError.isPoolError(refused))
          assert.match(Cause.pretty(Cause.fail(refused)), /certificate/i)
        }
        assert.isAtLeast(yield* proxy.secured, secured)
      })
  )
})

describe("A plain port where TLS is asked for", () => {
  it.live.each(asked)("hears a handshake and no word of MongoDB: %s", (parameter) =>
    Effect.gen(function*() {
      let heard: ReadonlyArray<number> = []
      const plain = yield* FakeTcp.make(() => (bytes) => {
        heard = [...heard, ...bytes]
      })
      const url = urlOf({ host: "app:s3cret@127.0.0.1", port: plain.port }, `/shop?${parameter}`)
      const mongo = yield* open(url, { driver })
      yield* eventually(Effect.sync(() => heard.length > 0))
      yield* Effect.flip(mongo.use(find))
      assert.strictEqual(heard[0], HANDSHAKE)
      assert.notMatch(Buffer.from(heard).toString("latin1"), /hello|ismaster|saslStart|s3cret/i)
    }))
})
