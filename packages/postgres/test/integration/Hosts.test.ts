/** A database on several servers, of which one takes writes. */
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Redacted } from "effect"
import { eventually, open, running } from "../utils/database.ts"

const own = PostgresServer.make({ sources: PostgresServer.ownSources })

/** As superuser, at one server. */
const administer = (server: PostgresServer.PostgresServer, ...statements: ReadonlyArray<string>) =>
  Effect.scoped(Effect.gen(function*() {
    const { sql } = yield* open({ name: "admin", url: server.adminUrl })
    for (const statement of statements) yield* sql.unsafe(statement)
  })).pipe(Effect.provideService(PostgresServer.PostgresServer, server))

const takesWrites = (takes: boolean) => `alter database app set default_transaction_read_only = ${takes ? "off" : "on"}`

/** Two of which one lets the user of `at` in. */
const setUp = Effect.gen(function*() {
  const [writer, reader] = yield* Effect.all([own, own], { concurrency: 2 })
  const password = Redacted.value(writer.password)
  const at = (ports: ReadonlyArray<number>, query = "") =>
    open({
      url: Redacted.make(`postgres://app:${password}@${ports.map((port) => `127.0.0.1:${port}`).join()}/app${query}`),
      pool: { size: { max: 2 } }
    }).pipe(Effect.provideService(PostgresServer.PostgresServer, writer))
  /** Lets the same user in at the other one, where nothing is written. */
  const admit = administer(reader, `alter role app password '${password}'`, takesWrites(false))
  return { admit, at, reader, writer }
})

const NOBODY = 1

describe.skipIf(!TestPostgres.ownAvailable)("A Postgres with several hosts", () => {
  it.live(
    "is found at the first that will do, and followed when another one takes the writes",
    () =>
      Effect.gen(function*() {
        const { admit, at, reader, writer } = yield* setUp
        // As with libpq one that does not let the user in ends the search.
        const refusal = yield* at([reader.port, writer.port]).pipe(
          Effect.flatMap(({ sql }) => Effect.flip(sql`select 1`)),
          Effect.scoped
        )
        assert.include(refusal.reason.message, "password authentication failed")
        yield* admit
        const portOf = ({ sql }: Effect.Success<ReturnType<typeof at>>) =>
          Effect.map(sql<{ port: string }>`select current_setting('port') as port`, ([row]) => Number(row?.port))
        const all = [NOBODY, reader.port, writer.port]
        assert.strictEqual(yield* Effect.flatMap(at(all), portOf), reader.port)
        assert.strictEqual(yield* Effect.flatMap(at(all, "?target_session_attrs=prefer-standby"), portOf), reader.port)
        assert.strictEqual(
          yield* Effect.flatMap(at(all.toReversed(), "?target_session_attrs=read-only"), portOf),
          reader.port
        )

        const orders = yield* at(all, "?target_session_attrs=read-write")
        assert.strictEqual(yield* portOf(orders), writer.port)
        // No session that was refused is left behind.
        yield* eventually(Effect.map(reader.connections("app"), (count) => count <= 3))

        yield* administer(reader, takesWrites(true))
        yield* writer.kill
        yield* eventually(Effect.map(Effect.option(portOf(orders)), (port) => Option.contains(port, reader.port)))
        const slow = yield* Effect.forkChild(orders.sql`select pg_sleep(30)`, { startImmediately: true })
        yield* eventually(Effect.map(running(orders, "%pg_sleep(30)"), (count) => count === 1))
        yield* Fiber.interrupt(slow)
        yield* eventually(Effect.map(running(orders, "%pg_sleep(30)"), (count) => count === 0))
        assert.isAtLeast((yield* orders.stats).cancelRequests, 1)
      }).pipe(Effect.scoped),
    120_000
  )
})
