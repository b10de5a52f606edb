import { PostgresServer } from "@breakwater/testing"
import { assert, describe, it, layer } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Fiber, Redacted, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Fs from "node:fs"
import { inspect } from "node:util"
import * as Client from "../utils/client.ts"
import * as Holder from "../utils/holder.ts"
import * as Postgres from "../utils/postgres.ts"

const ownOnes: ReadonlyArray<PostgresServer.Source> = ["machine", "package"]
const given = (url: string) => ConfigProvider.layer(ConfigProvider.fromUnknown({ BREAKWATER_TEST_POSTGRES_URL: url }))

/** Makes a server, or says which source this machine lacks. */
const madeFrom = (source: PostgresServer.Source) =>
  PostgresServer.make({ sources: [source] }).pipe(
    Effect.catchReason("PostgresServerError", "NotFound", (reason) =>
      Effect.sync(() => {
        process.stdout.write(`[skipped] a server from the source ${source}: ${reason.tried[0]?.why}\n`)
        return undefined
      }))
  )

describe.skipIf(!Postgres.ownServers)("PostgresServer", () => {
  it.effect.each(ownOnes)(
    "from the source %s keeps port and data over a kill and a restart",
    (source) =>
      Effect.gen(function*() {
        const server = yield* madeFrom(source)
        if (server === undefined) return
        assert.match(server.version, /^\d+\.\d+$/)
        assert.isFalse(server.given)
        yield* Postgres.query(server.url, "create table kept (n int)")
        yield* Postgres.query(server.url, "insert into kept values (42)")
        const first = yield* server.pid
        yield* server.kill
        assert.strictEqual((yield* Effect.flip(server.pid)).reason._tag, "NotRunning")
        assert.strictEqual((yield* Effect.flip(Postgres.query(server.url, "select 1"))).reason._tag, "ConnectionError")
        yield* server.start
        const second = yield* server.pid
        assert.notStrictEqual(second, first)
        yield* server.restart
        assert.notStrictEqual(yield* server.pid, second)
        assert.deepStrictEqual(yield* Postgres.query(server.url, "select n from kept"), [{ n: 42 }])
      }),
    60_000
  )

  it.effect("is gone with its scope, its folder too", () =>
    Effect.gen(function*() {
      const { folder, url } = yield* Effect.scoped(Effect.gen(function*() {
        const server = yield* PostgresServer.make({ sources: PostgresServer.ownSources })
        const rows = yield* Postgres.query(server.adminUrl, "show data_directory")
        const data = String(rows[0]?.["data_directory"])
        assert.isTrue(Fs.existsSync(data))
        return { folder: data, url: server.url }
      }))
      assert.isFalse(Fs.existsSync(folder.replace(/\/data$/, "")))
      assert.strictEqual((yield* Effect.flip(Postgres.query(url, "select 1"))).reason._tag, "ConnectionError")
    }), 60_000)

  it.effect("says with the end of its log why it did not start", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        PostgresServer.make({ sources: PostgresServer.ownSources, settings: { shared_buffers: "plenty" } })
      )
      assert.strictEqual(error.reason._tag, "StartFailed")
      assert.match(error.message, /invalid value for parameter "shared_buffers": "plenty"/)
    }), 60_000)
})

describe("PostgresServer without a server", () => {
  it.effect("names what was tried and what to install when there is none", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(PostgresServer.make({ sources: ["given"] }))
      assert.strictEqual(error.reason._tag, "NotFound")
      assert.match(error.message, /given: BREAKWATER_TEST_POSTGRES_URL is not set/)
      assert.match(error.message, /Install PostgreSQL/)
    }).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({})))))

  it.effect.each(["mysql://u:hunter2@h/d", "u:hunter2@nowhere", "postgres://u:hunter2@:x/d"])(
    "refuses the given URL %s without repeating it",
    (url) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(PostgresServer.make())
        assert.strictEqual(error.reason._tag, "InvalidUrl")
        assert.notMatch(inspect(error, { depth: 10, showHidden: true }), /hunter2/)
      }).pipe(Effect.provide(given(url)))
  )

  it.effect("does not show the password of a given server that it can't reach", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(PostgresServer.make())
      assert.strictEqual(error.reason._tag, "AdminFailed")
      assert.notMatch(inspect(error, { depth: 10, showHidden: true }), /hunter2/)
    }).pipe(Effect.provide(given("postgres://u:hunter2@127.0.0.1:1/d"))))

  it.effect.each([3, 10_001, 1.5, Number.NaN])(
    "rejects maxConnections of %s when called",
    (maxConnections) =>
      Effect.sync(() => assert.throws(() => PostgresServer.make({ maxConnections }), RangeError, "maxConnections"))
  )

  it.effect("rejects a setting whose name is none when called", () =>
    Effect.sync(() =>
      assert.throws(() => PostgresServer.make({ settings: { "a = 1\nb": 1 } }), RangeError, "settings")
    ))
})

describe.skipIf(!Postgres.ownServers)("with one server", () => {
  layer(PostgresServer.layer({ sources: PostgresServer.ownSources, maxConnections: 12 }))(
    "a server of our own",
    (own) => {
      own.effect("lends a role that owns the database and is no superuser", () =>
        Effect.gen(function*() {
          const server = yield* PostgresServer.PostgresServer
          const rows = yield* Postgres.query(
            server.url,
            "select current_user::text as role, current_database()::text as database, current_setting('is_superuser') as super"
          )
          assert.deepStrictEqual(rows, [{ role: server.username, database: server.database, super: "off" }])
        }))

      own.effect(
        "makes fresh databases and drops them with their scope, also under an open session",
        () =>
          Effect.gen(function*() {
            const server = yield* PostgresServer.PostgresServer
            const exists = (name: string) =>
              Postgres.query(server.adminUrl, "select 1 as one from pg_database where datname = $1", [name])
            const { first, second } = yield* Effect.scoped(Effect.gen(function*() {
              const one = yield* server.createDatabase
              const two = yield* server.createDatabase
              yield* Postgres.query(one.url, "create table only_here ()")
              assert.deepStrictEqual(
                yield* Postgres.query(two.url, "select to_regclass('only_here')::text as found"),
                [{ found: null }]
              )
              assert.lengthOf(yield* exists(one.name), 1)
              return { first: one, second: two }
            }))
            assert.lengthOf(yield* exists(first.name), 0)
            assert.lengthOf(yield* exists(second.name), 0)
            const scope = yield* Scope.make()
            const busy = yield* Scope.provide(server.createDatabase, scope)
            yield* Postgres.open(busy.url)
            yield* Scope.close(scope, Exit.void)
            assert.lengthOf(yield* exists(busy.name), 0)
          })
      )

      own.effect("counts the sessions of its database and ends them, its own left out", () =>
        Effect.gen(function*() {
          const server = yield* Effect.flatMap(PostgresServer.PostgresServer, PostgresServer.withFreshDatabase)
          assert.strictEqual(yield* server.connections(), 0)
          const session = yield* Postgres.open(server.url)
          yield* Postgres.open(server.url)
          assert.strictEqual(yield* server.connections(), 2)
          assert.strictEqual(yield* server.connections("postgres"), 0)
          assert.strictEqual(yield* server.terminateAll(), 2)
          yield* Client.eventually(Effect.map(server.connections(), (count) => count === 0))
          assert.isTrue(yield* Effect.isFailure(session.query("select 1")))
        }))

      own.effect(
        "still answers the helper when the tests have taken every session they may",
        () =>
          Effect.gen(function*() {
            const server = yield* Effect.flatMap(PostgresServer.PostgresServer, PostgresServer.withFreshDatabase)
            yield* Effect.all(Array.from({ length: 9 }, () => Postgres.open(server.url)))
            const refused = yield* Effect.flip(Postgres.open(server.url))
            assert.match(String(refused.reason.cause), /remaining connection slots|too many clients/)
            assert.strictEqual(yield* server.connections(), 9)
          })
      )

      own.effect(
        "dies of a kill as in a crash: a running statement ends at once, and a start follows at once",
        () =>
          Effect.gen(function*() {
            const server = yield* PostgresServer.PostgresServer
            const session = yield* Postgres.open(server.url)
            // Busy, so that it would not notice by itself that its parent is gone.
            const busy = "do $$ declare until timestamptz := clock_timestamp() + interval '20 seconds'; " +
              "begin while clock_timestamp() < until loop end loop; end $$"
            const statement = yield* Effect.forkChild(session.query(busy, [], false))
            yield* Client.eventually(Effect.map(
              Postgres.query(
                server.adminUrl,
                "select 1 as one from pg_stat_activity where pid = $1 and state = 'active'",
                [session.processId]
              ),
              (rows) => rows.length === 1
            ))
            yield* server.kill
            assert.isTrue(
              yield* Effect.isFailure(TestClock.withLive(Fiber.join(statement).pipe(Effect.timeout("10 seconds"))))
            )
            yield* server.start
            assert.strictEqual(yield* server.connections(), 0)
          })
      )

      own.effect(
        "fails typed when its port was taken while it was down, and starts once that is free again",
        () =>
          Effect.gen(function*() {
            const server = yield* PostgresServer.PostgresServer
            yield* server.stop
            yield* Effect.scoped(Effect.gen(function*() {
              yield* Client.listen(server.port)
              assert.strictEqual((yield* Effect.flip(server.start)).reason._tag, "StartFailed")
            }))
            yield* server.start
            assert.strictEqual(yield* server.connections(), 0)
          })
      )

      own.effect("can be killed by somebody else, stopped twice and started twice", () =>
        Effect.gen(function*() {
          const server = yield* PostgresServer.PostgresServer
          process.kill(yield* server.pid, "SIGKILL")
          yield* Client.eventually(Effect.isFailure(server.pid))
          yield* server.start
          const pid = yield* server.pid
          yield* server.start
          assert.strictEqual(yield* server.pid, pid)
          yield* server.stop
          yield* server.stop
          yield* server.start
          assert.strictEqual(yield* server.connections(), 0)
        }))

      own.effect(
        "serves a given URL through a database of its own and refuses to be killed",
        () =>
          Effect.gen(function*() {
            const server = yield* PostgresServer.PostgresServer
            const database = yield* Effect.scoped(Effect.gen(function*() {
              const guest = yield* PostgresServer.make()
              assert.isTrue(guest.given)
              assert.notStrictEqual(guest.database, server.database)
              assert.strictEqual(guest.version, server.version)
              yield* Postgres.query(guest.url, "create table mine ()")
              for (const refused of [guest.kill, guest.stop, guest.start, guest.restart, guest.pid]) {
                assert.strictEqual((yield* Effect.flip(refused)).reason._tag, "NotOurs")
              }
              const inner = yield* guest.createDatabase
              yield* Postgres.query(inner.url, "select 1")
              return guest.database
            })).pipe(Effect.provide(given(Redacted.value(server.adminUrl))))
            assert.deepStrictEqual(
              yield* Postgres.query(server.adminUrl, "select 1 as one from pg_database where datname = $1", [database]),
              []
            )
          })
      )
    }
  )
})

describe.skipIf(!Postgres.ownServers)("the process that holds a server", () => {
  it.effect.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)(
    "leaves nothing behind when it gets %s",
    (signal) =>
      Effect.gen(function*() {
        const holder = yield* Holder.start
        yield* holder.up
        yield* holder.kill(signal)
        yield* holder.nothingLeft
      }),
    60_000
  )

  it.effect("leaves nothing behind when it is killed while the server is being set up", () =>
    Effect.gen(function*() {
      const holder = yield* Holder.start
      yield* holder.begun
      yield* holder.kill("SIGKILL")
      yield* holder.nothingLeft
    }), 60_000)
})
