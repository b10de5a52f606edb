/** A real server that speaks TLS with a certificate of our own making, and one that does not and must hear nothing. */
import { Backends } from "@breakwater/core"
import { Postgres } from "@breakwater/postgres"
import { FakeTcp, PostgresServer, TestCertificate } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Redacted } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { eventually, onOwnServer, open, quiet } from "../utils/database.ts"

/** Makes the server speak TLS, and gives the certificate that a client has to trust. */
const secure = Effect.gen(function*() {
  const { adminUrl } = yield* PostgresServer.PostgresServer
  const { ca, cert, key } = yield* TestCertificate.make()
  const admin = yield* open({ url: adminUrl })
  const [row] = yield* admin.sql<{ folder: string }>`select current_setting('data_directory') as folder`
  const folder = row?.folder ?? assert.fail("the server has no folder")
  const { gid, uid } = Fs.statSync(folder)
  for (const [name, text] of [["server.crt", cert], ["server.key", key]] as const) {
    const file = Path.join(folder, name)
    Fs.writeFileSync(file, text, { mode: 0o600 })
    Fs.chownSync(file, uid, gid)
  }
  yield* admin.sql`alter system set ssl = on`
  yield* admin.sql`select pg_reload_conf()`
  const isOn = Effect.scoped(Effect.flatMap(open({ url: adminUrl }), ({ sql }) => sql<{ ssl: string }>`show ssl`))
  yield* eventually(Effect.map(isOn, ([shown]) => shown?.ssl === "on"))
  return ca
})

const parameters = (url: Redacted.Redacted, added: Record<string, string>): Redacted.Redacted => {
  const changed = new URL(Redacted.value(url))
  for (const [name, value] of Object.entries(added)) changed.searchParams.set(name, value)
  return Redacted.make(changed.href)
}

const asked = [{ sslmode: "require" }, { sslmode: "verify-ca" }, { sslmode: "verify-full" }, { ssl: "true" }]

/** Asks for TLS; a server without it says no, and then nobody may go on. */
const SSL_REQUEST = "0000000804d2162f"

describe.skipIf(!TestPostgres.ownAvailable)("A Postgres that speaks TLS", () => {
  it.live("is used where its certificate is known, and not where it is not", () =>
    Effect.gen(function*() {
      const server = yield* PostgresServer.PostgresServer
      const ca = yield* secure
      const isSecured = ({ sql }: Postgres.Postgres) =>
        Effect.map(
          sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`,
          ([row]) => row?.ssl
        )
      for (const added of asked) {
        const url = parameters(server.url, added)
        assert.isTrue(yield* isSecured(yield* open({ url, ssl: { ca } })), JSON.stringify(added))
        const other = yield* TestCertificate.make()
        for (const ssl of [true, { ca: other.ca }]) {
          const refused = yield* Effect.exit(open({ url, ssl, pool: { start: "fail-fast" } }))
          assert.strictEqual(refused._tag, "Failure", JSON.stringify(added))
          if (refused._tag === "Failure") assert.match(Cause.pretty(refused.cause), /certificate/i)
        }
      }
      const url = parameters(server.url, { sslmode: "require" })
      assert.isTrue(yield* isSecured(yield* open({ url, ssl: { rejectUnauthorized: false } })))
      assert.isFalse(yield* isSecured(yield* open({ url: parameters(server.url, { sslmode: "disable" }) })))
    }).pipe(onOwnServer), 30_000)
})

describe("A plain port where TLS is asked for", () => {
  it.live.each(asked)("hears nothing but the question whether it speaks TLS: %j", (added) =>
    Effect.gen(function*() {
      let heard = ""
      const plain = yield* FakeTcp.make(({ write }) => (bytes) => {
        heard += Buffer.from(bytes).toString("hex")
        write("N")
      })
      const url = parameters(Redacted.make(`postgres://app:s3cret@${plain.host}:${plain.port}/shop`), added)
      const made = Backends.isolated(Postgres.make({ name: "orders", url, pool: { start: "fail-fast" } }))
      const error = yield* Effect.flip(made).pipe(quiet)
      assert.match(Cause.pretty(Cause.fail(error)), /TLS/)
      assert.match(heard, new RegExp(`^(?:${SSL_REQUEST})+$`))
    }))
})
