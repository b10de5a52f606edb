/** The password shows nowhere: not in an error, an event, a span, a log line, nor in what anybody prints. */
import { Backends, Health } from "@breakwater/core"
import { Postgres } from "@breakwater/postgres"
import { FaultProxy, PostgresServer, Witness } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Redacted, Stream } from "effect"
import { onOwnServer, open, proxied } from "../utils/database.ts"

const MARKER = "s3cret-marker"

const withCredentials = (url: Redacted.Redacted, password: string) => {
  const changed = new URL(Redacted.value(url))
  changed.username = "marked"
  changed.password = password
  return Redacted.make(changed.href)
}

describe.skipIf(!TestPostgres.available)("Secrets", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    const test = it.effect.skipIf(!TestPostgres.ownAvailable)
    test("stay hidden in everything that can go wrong", () =>
      Effect.gen(function*() {
        const { listen, said, see } = yield* Witness.make
        const { proxy, server } = yield* proxied
        const admin = yield* open({ url: server.adminUrl })
        yield* Effect.acquireRelease(
          admin.sql.unsafe(`create role marked login password '${MARKER}'`),
          () => Effect.ignore(admin.sql`drop role marked`)
        )
        const url = withCredentials(FaultProxy.through(server.url, proxy), MARKER)
        yield* Effect.gen(function*() {
          const options: Postgres.Options = {
            name: "orders",
            url,
            policy: { timeout: "200 millis", retry: { times: 1 } }
          }
          const postgres = yield* Postgres.make(options)
          yield* Effect.forkScoped(Stream.runForEach(postgres.backend.events, (event) => Effect.sync(() => see(event))))
          yield* postgres.sql`select 1`
          for (const value of [options, postgres, postgres.sql.config, postgres.backend]) see(value)
          yield* postgres.use((session) => Effect.sync(() => see(session)))
          yield* proxy.blackHole
          see(yield* Effect.exit(postgres.sql`select 1`))
          yield* proxy.refuse
          yield* proxy.reset
          for (let n = 0; n < 4; n++) see(yield* Effect.exit(postgres.sql`select 1`))
          see(yield* Effect.exit(postgres.sql.withTransaction(postgres.sql`select 1`)))
          see(yield* postgres.health)
          see(yield* Health.check())
          yield* proxy.restore
          const refused = yield* Postgres.make({ name: "orders", url: withCredentials(url, `${MARKER}x`) })
          see(yield* Effect.exit(refused.sql`select 1`))
          see(yield* refused.health)
        }).pipe(Effect.scoped, Backends.isolated, listen)
        for (const word of ["password authentication failed", "DialFailed", "db.system.name", "unhealthy"]) {
          assert.include(said(), word)
        }
        assert.notInclude(said(), MARKER)
      }).pipe(onOwnServer), 20_000)

    it.effect("stay hidden in a URL that is wrong", () =>
      Effect.gen(function*() {
        const { listen, said, see } = yield* Witness.make
        const { url } = yield* PostgresServer.PostgresServer
        const parameter = new URL(Redacted.value(withCredentials(url, MARKER)))
        parameter.searchParams.set("pool_timeout", "0")
        const urls = [
          parameter.href,
          `postgres://app:${MARKER}@[/`,
          `postgres://app:${MARKER}%zz@localhost/app`,
          `postgres://app:1/${MARKER}@localhost/app`,
          `${MARKER}://x`
        ]
        for (const text of urls) {
          const exit = yield* Effect.exit(Postgres.make({ name: "orders", url: Redacted.make(text) })).pipe(
            Effect.scoped,
            listen
          )
          assert.strictEqual(exit._tag, "Failure")
          see(exit)
        }
        assert.notInclude(said(), MARKER)
      }))
  })
})
