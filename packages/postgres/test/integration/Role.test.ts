/** A server that takes no writes for a while, as after a failover to a standby. */
import type { Postgres } from "@breakwater/postgres"
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Redacted, Stream } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { elapsed, eventually, open } from "../utils/database.ts"

const now = { startImmediately: true } as const

/** All that are open when this has ended behave so, with their next statement at the latest. */
const takesWrites = (takes: boolean) =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* PostgresServer.PostgresServer
    const admin = yield* open({ name: "admin", url: server.adminUrl, pool: { size: { max: 1 } } })
    yield* admin.sql.unsafe(`alter system set default_transaction_read_only = ${takes ? "off" : "on"}`)
    yield* admin.sql`select pg_reload_conf()`
    yield* eventually(Effect.map(
      admin.sql<{ setting: string }>`select setting from pg_settings where name = 'default_transaction_read_only'`,
      ([row]) => row?.setting === (takes ? "off" : "on")
    ))
  }))

const whileReadOnly = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(takesWrites(false), () => effect, () => Effect.orDie(takesWrites(true)))

const withParameter = (url: Redacted.Redacted, name: string, value: string): Redacted.Redacted => {
  const changed = new URL(Redacted.value(url))
  changed.searchParams.set(name, value)
  return Redacted.make(changed.href)
}

const closings = ({ backend }: Postgres.Postgres) =>
  Effect.gen(function*() {
    const seen: Array<string> = []
    const listening = Stream.runForEach(backend.events, (event) =>
      Effect.sync(() => event._tag === "Closed" && seen.push(event.reason)))
    yield* Effect.forkScoped(listening, now)
    yield* Effect.sleep("10 millis")
    return seen
  })

type Write = Effect.Effect<ReadonlyArray<{ readonly pid: number }>, SqlError>

/** Whether every failure is that nothing may be written, and how many there were. */
const refusals = (exits: ReadonlyArray<Exit.Exit<unknown, SqlError>>): number => {
  const failed = exits.filter(Exit.isFailure)
  for (const { cause } of failed) assert.include(JSON.stringify(cause), "25006")
  return failed.length
}

/** Four that write all the time, until the scope closes. */
const writers = (write: Write) =>
  Effect.gen(function*() {
    const exits: Array<Exit.Exit<ReadonlyArray<{ readonly pid: number }>, SqlError>> = []
    const turn = Effect.andThen(Effect.map(Effect.exit(write), (exit) => exits.push(exit)), Effect.sleep("5 millis"))
    yield* Effect.forEach(Array(4).keys(), () => Effect.forkScoped(Effect.forever(turn), now))
    return exits
  })

const pids = (exits: ReadonlyArray<Exit.Exit<ReadonlyArray<{ readonly pid: number }>, SqlError>>) =>
  new Set(exits.filter(Exit.isSuccess).map(({ value }) => value[0]?.pid))

describe.skipIf(!TestPostgres.ownAvailable)("A server that takes no writes any more", () => {
  layer(PostgresServer.layer({ sources: PostgresServer.ownSources }), { excludeTestServices: true })((it) => {
    const failover = (postgres: Postgres.Postgres, write: Write) =>
      Effect.gen(function*() {
        const closed = yield* closings(postgres)
        const exits = yield* writers(write)
        yield* eventually(Effect.sync(() => exits.length >= 20))
        const before = exits.slice()
        assert.strictEqual(refusals(before), 0)
        yield* whileReadOnly(Effect.sleep("500 millis"))
        const { duration } = yield* elapsed(eventually(Effect.sync(() => Exit.isSuccess(exits.at(-1)!))))
        assert.isBelow(Duration.toMillis(duration), 3000)
        const { opened } = yield* postgres.stats
        assert.isAtLeast(refusals(exits), 1)
        assert.isAtMost(refusals(exits), opened, "one error a connection")
        const recovered = exits.length
        yield* eventually(Effect.sync(() => exits.length >= recovered + 40))
        const after = exits.slice(recovered)
        assert.strictEqual(refusals(after), 0)
        const gone = pids(before)
        assert.isFalse([...pids(after)].some((pid) => gone.has(pid)))
        assert.deepStrictEqual([...new Set(closed)], ["WrongRole"])
      })

    it.effect(
      "is left by all connections, one error each, and found again when it is back",
      () =>
        Effect.gen(function*() {
          const postgres = yield* open({ pool: { size: { max: 4 } } })
          yield* postgres.sql`create table orders (id int)`
          yield* failover(postgres, postgres.sql`insert into orders values (1) returning pg_backend_pid() as pid`)
        }),
      20_000
    )

    it.effect("is left by transactions too", () =>
      Effect.gen(function*() {
        const postgres = yield* open({ pool: { size: { max: 4 } } })
        yield* postgres.sql`create table bills (id int)`
        const write: Write = postgres.sql`insert into bills values (1) returning pg_backend_pid() as pid`
        yield* failover(postgres, postgres.sql.withTransaction(write))
      }), 20_000)

    it.effect("is left by who uses the session itself, too", () =>
      Effect.gen(function*() {
        const postgres = yield* open({ pool: { size: { max: 1 } } })
        const closed = yield* closings(postgres)
        yield* whileReadOnly(
          Effect.flip(postgres.use((session) => session.query("create table notes (id int)")))
        )
        yield* eventually(Effect.sync(() => closed.length > 0))
        assert.deepStrictEqual(closed, ["WrongRole"])
      }))

    it.effect(
      "is not meant where the program itself has asked for nothing to be written",
      () =>
        Effect.gen(function*() {
          const server = yield* PostgresServer.PostgresServer
          const { sql, stats } = yield* open({ pool: { size: { max: 2 } } })
          const readOnly = Effect.scoped(Effect.gen(function*() {
            const session = yield* sql.reserve
            yield* session.executeRaw("begin transaction read only", [])
            const error = yield* Effect.flip(session.executeRaw("create table nowhere (id int)", []))
            yield* session.executeRaw("rollback", [])
            return error
          }))
          assert.strictEqual(refusals([Exit.fail(yield* readOnly)]), 1)
          assert.strictEqual((yield* stats).closed, 0)
          for (
            const [name, value] of [
              ["options", "-c default_transaction_read_only=on"],
              ["target_session_attrs", "read-only"]
            ] as const
          ) {
            const reader = yield* open({ url: withParameter(server.url, name, value) })
            yield* Effect.exit(reader.sql`create table nowhere (id int)`)
            yield* Effect.exit(reader.sql`create table nowhere (id int)`)
            assert.strictEqual((yield* reader.stats).closed, 0)
          }
        }),
      20_000
    )

    it.effect(
      "is told by no statement where the URL asks for one that takes them, and is not dialled again before",
      () =>
        Effect.gen(function*() {
          const server = yield* PostgresServer.PostgresServer
          const postgres = yield* open({
            url: withParameter(server.url, "target_session_attrs", "read-write"),
            pool: { size: { min: 2, max: 2 }, check: { skipWithin: 0 } }
          })
          const closed = yield* closings(postgres)
          yield* eventually(Effect.map(postgres.stats, ({ idle }) => idle === 2))
          yield* whileReadOnly(Effect.gen(function*() {
            const error = yield* Effect.flip(postgres.sql`select 1`)
            assert.strictEqual(error.reason._tag, "ConnectionError")
            assert.include(
              error.reason.message,
              "the server is read-only, and target_session_attrs asks for read-write"
            )
            assert.deepStrictEqual(closed, ["WrongRole", "WrongRole"])
            assert.strictEqual((yield* postgres.health).status, "unhealthy")
          }))
          yield* eventually(Effect.map(Effect.exit(postgres.sql`select 1`), Exit.isSuccess))
        }),
      20_000
    )
  })
})
