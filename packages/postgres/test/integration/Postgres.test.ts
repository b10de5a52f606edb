import { Backends } from "@breakwater/core"
import { Postgres } from "@breakwater/postgres"
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, layer } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Logger, Queue, Redacted, Ref, Stream, Tracer } from "effect"
import { SqlClient } from "effect/sql"
import { elapsed, eventually, open, proxied, quiet, running } from "../utils/database.ts"

type Line = ReturnType<typeof Logger.formatStructured.log>

describe.skipIf(!TestPostgres.available)("Postgres", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("answers statements, values, raw results and unprepared statements", () =>
      Effect.gen(function*() {
        const { sql } = yield* open()
        assert.deepStrictEqual(yield* sql`select ${1}::int as x`, [{ x: 1 }])
        assert.deepStrictEqual(yield* sql`select 1, 'a'`.values, [[1, "a"]])
        assert.deepStrictEqual(yield* sql`select 1, 'a'`.valuesUnprepared, [[1, "a"]])
        assert.deepStrictEqual(yield* sql`select ${2}::int as y`.unprepared, [{ y: 2 }])
        assert.include(yield* sql`select 3 as z`.raw, { command: "SELECT", rowCount: 1 })
        assert.deepStrictEqual(yield* sql`select ${sql.json({ a: [1] })}::jsonb as j`, [{ j: { a: [1] } }])
      }))

    it.effect("keeps the number of connections over 1,000 operations", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { sql, stats } = yield* open({ pool: { size: { min: 4, max: 4 } } })
        yield* eventually(Effect.map(stats, ({ idle }) => idle === 4))
        const before = yield* server.connections()
        yield* Effect.forEach(Array(1000).keys(), (n) => sql`select ${n}::int`, { concurrency: 4, discard: true })
        assert.strictEqual(yield* server.connections(), before)
        assert.strictEqual((yield* stats).opened, before)
        assert.isAtMost(before, 4)
      }))

    it.effect("serves 100 statements at once with no more than size.max connections at the server", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { sql } = yield* open({ pool: { size: { max: 5 } } })
        const most = yield* Ref.make(0)
        const watch = Effect.flatMap(server.connections(), (now) => Ref.update(most, (seen) => Math.max(seen, now)))
        const answers = yield* Effect.forEach(
          Array(100).keys(),
          (n) => sql<{ n: number }>`select ${n}::int as n, pg_sleep(0.01)`,
          { concurrency: "unbounded" }
        ).pipe(Effect.raceFirst(Effect.forever(Effect.andThen(watch, Effect.sleep("5 millis")))))
        assert.deepStrictEqual(answers.map(([row]) => row?.n), [...Array(100).keys()])
        assert.isAtMost(yield* Ref.get(most), 5)
        assert.isAbove(yield* Ref.get(most), 0)
      }))

    it.effect("works with the next call after the server has ended every connection", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { sql, stats } = yield* open({ pool: { size: { min: 3, max: 3 } } })
        for (let round = 0; round < 8; round++) {
          yield* eventually(Effect.map(stats, ({ idle }) => idle === 3))
          assert.strictEqual(yield* server.terminateAll(), 3)
          assert.deepStrictEqual(yield* sql`select 1 as one`, [{ one: 1 }])
        }
      }))

    it.effect("works with the next call after the network has reset every connection", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql, stats } = yield* open({ url, pool: { size: { min: 3, max: 3 } } })
        yield* eventually(Effect.map(stats, ({ idle }) => idle === 3))
        yield* proxy.reset
        yield* eventually(Effect.map(stats, ({ closed }) => closed === 3))
        assert.deepStrictEqual(yield* sql`select 1 as one`, [{ one: 1 }])
      }))

    it.effect("refills size.min when idle sessions die", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { stats } = yield* open({ pool: { size: { min: 2, max: 4 } } })
        yield* eventually(Effect.map(stats, ({ idle }) => idle === 2))
        yield* server.terminateAll()
        yield* eventually(Effect.map(stats, ({ closed, idle }) => idle === 2 && closed === 2))
      }))

    it.effect("streams rows and gives the session back when the stream ends early", () =>
      Effect.gen(function*() {
        const postgres = yield* open({ pool: { size: { max: 1 } } })
        const { sql, stats } = postgres
        const all = yield* Stream.runCollect(sql<{ n: number }>`select generate_series(1, 2000) as n`.stream)
        assert.strictEqual(all.length, 2000)
        const some = yield* sql<{ n: number }>`select generate_series(1, 1000000000) as n`.stream.pipe(
          Stream.take(3),
          Stream.runCollect,
          elapsed
        )
        assert.deepStrictEqual(some.value.map(({ n }) => n), [1, 2, 3])
        assert.isBelow(Duration.toMillis(some.duration), 2000)
        assert.strictEqual((yield* stats).used, 0)
        yield* eventually(Effect.map(running(postgres, "%generate_series%"), (count) => count === 0))
      }))

    it.effect("hands over what is notified while it listens, and counts the listener as a session", () =>
      Effect.gen(function*() {
        const { sql, stats } = yield* open({ pool: { size: { max: 2 } } })
        yield* Effect.scoped(Effect.gen(function*() {
          const queue = yield* sql.listen("news")
          assert.strictEqual((yield* stats).used, 1)
          yield* sql.notify("news", "hello")
          assert.include(yield* Queue.take(queue), { channel: "news", payload: "hello" })
        }))
        assert.strictEqual((yield* stats).used, 0)
        assert.deepStrictEqual(yield* sql`select * from pg_listening_channels()`, [])
      }))

    it.effect("ends a listener's queue with a typed error when its connection dies", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { sql } = yield* open({ pool: { size: { max: 2 } } })
        const queue = yield* sql.listen("news")
        yield* server.terminateAll()
        const error = yield* Effect.flip(Queue.take(queue))
        assert.strictEqual(error._tag, "SqlError")
      }))

    it.effect("does not wait for a dead server when a listener ends", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql } = yield* open({ url, pool: { size: { max: 2 } } })
        const { duration } = yield* elapsed(Effect.scoped(Effect.andThen(sql.listen("news"), proxy.blackHole)))
        assert.isBelow(Duration.toMillis(duration), 3000)
      }))

    it.effect("lends the raw session and never lends one again that came back inside a transaction", () =>
      Effect.gen(function*() {
        const { sql, use } = yield* open({ pool: { size: { max: 1 } } })
        const pid = yield* use((session) => Effect.as(session.query("begin"), session.processId))
        const [row] = yield* sql<{ pid: number }>`select pg_backend_pid() as pid`
        assert.notStrictEqual(row?.pid, pid)
        const clean = yield* use((session) =>
          session.query("begin").pipe(Effect.andThen(session.query("commit")), Effect.as(session.processId))
        )
        const [same] = yield* sql<{ pid: number }>`select pg_backend_pid() as pid`
        assert.strictEqual(same?.pid, clean)
      }))

    it.effect("closes a session on which a plain statement has begun a transaction", () =>
      Effect.gen(function*() {
        const { sql } = yield* open({ pool: { size: { max: 1 } } })
        const pid = sql<{ pid: number }>`select pg_backend_pid() as pid`
        const [before] = yield* pid
        yield* sql`/* forgotten */ begin`
        const [after] = yield* pid
        assert.notStrictEqual(after?.pid, before?.pid)
      }))

    it.effect("reserves one session for several statements", () =>
      Effect.gen(function*() {
        const { sql, stats } = yield* open({ pool: { size: { max: 2 } } })
        yield* Effect.scoped(Effect.gen(function*() {
          const connection = yield* sql.reserve
          const pid = connection.executeValues("select pg_backend_pid()", [])
          assert.deepStrictEqual(yield* pid, yield* pid)
          assert.strictEqual((yield* stats).used, 1)
        }))
        assert.strictEqual((yield* stats).used, 0)
      }))

    it.effect("closes a reserved session that comes back inside a transaction, and keeps one that does not", () =>
      Effect.gen(function*() {
        const { sql, stats } = yield* open({ pool: { size: { max: 1 } } })
        const reserved = (...statements: ReadonlyArray<string>) =>
          Effect.scoped(Effect.flatMap(
            sql.reserve,
            (connection) => Effect.forEach(statements, (statement) => connection.executeRaw(statement, []))
          ))
        yield* reserved("begin", "select 1", "commit")
        yield* reserved("begin", "savepoint a", "rollback to a", "rollback")
        assert.strictEqual((yield* stats).closed, 0)
        yield* reserved("begin", "savepoint a", "rollback to a")
        yield* eventually(Effect.map(stats, ({ closed }) => closed === 1))
        yield* reserved("begin", "commit and chain")
        yield* eventually(Effect.map(stats, ({ closed }) => closed === 2))
      }))

    it.effect("sets the statement timeout and the name at the server", () =>
      Effect.gen(function*() {
        const { sql } = yield* open({ policy: { timeout: "7 seconds" }, applicationName: "shop" })
        assert.deepStrictEqual(yield* sql`show statement_timeout`, [{ statement_timeout: "7s" }])
        assert.deepStrictEqual(yield* sql`show application_name`, [{ application_name: "shop" }])
      }))

    it.effect("is found in Backends while it lives, and answers for its health", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Postgres.make({ name: "orders", url: server.url })
          const [entry] = yield* Backends.list
          assert.include(entry?.backend, { name: "orders", kind: "postgres", critical: true })
          const health = yield* entry!.backend.health
          assert.strictEqual(health.status, "healthy")
          assert.isAbove(Duration.toMillis(health.latency), 0)
        }))
        assert.deepStrictEqual(yield* Backends.list, [])
      }).pipe(Backends.isolated, quiet))

    it.effect("says within about a second that a silent server is unhealthy", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { health, sql } = yield* open({ url })
        yield* sql`select 1`
        yield* sql`select 2`
        yield* proxy.blackHole
        const { duration, value } = yield* elapsed(health)
        assert.strictEqual(value.status, "unhealthy")
        assert.isBelow(Duration.toMillis(duration), 2500)
      }))

    it.effect("takes plain text where TLS is preferred and not to be had, and refuses where it is required", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const withMode = (mode: string) => Redacted.make(`${Redacted.value(server.url)}?sslmode=${mode}`)
        const preferred = yield* open({ url: withMode("prefer") })
        const ssl = preferred.sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`
        // A server that was given to the run may have TLS, and then it is used.
        const [row] = yield* ssl
        const required = yield* open({ url: withMode("require"), pool: { wait: { timeout: "2 seconds" } } })
        const exit = yield* Effect.exit(required.sql`select 1`)
        if (row?.ssl === false) assert.isTrue(Exit.isFailure(exit))
      }))

    it.effect("warns once when the pool may grow beyond what the server has room for", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const lines: Array<Line> = []
        const logger = Logger.make<unknown, void>((entry) => void lines.push(Logger.formatStructured.log(entry)))
        yield* Effect.gen(function*() {
          const { sql } = yield* Postgres.make({
            name: "orders",
            url: server.url,
            pool: { size: { max: 50 } },
            replicas: 2000
          })
          yield* sql`select 1`
          yield* Effect.forEach(Array(5).keys(), () => sql`select pg_sleep(0.05)`, { concurrency: 5 })
          yield* eventually(Effect.sync(() => lines.length > 1))
        }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])), Backends.isolated)
        const [ready, warning, ...others] = lines
        assert.deepStrictEqual(others, [])
        assert.match(String(ready?.message), /^postgres "orders" at \S+ ready: max=50 min=0 wait=10s /)
        assert.include(ready?.message, " statement_timeout=30s ")
        assert.strictEqual(warning?.level, "WARN")
        const said = String(warning?.message)
        assert.match(
          said,
          /^postgres "orders": pool.size.max is 50 in each of 2000 replicas, 100000 together, and the server has room/
        )
        assert.match(
          said,
          / replicas=2000 .* advised_max=1 .* advised_pooler=recommended reasons="50 x 2000 processes /
        )
        assert.deepStrictEqual([ready?.annotations, warning?.annotations], [{}, {}])
      }))

    it.effect("describes its statements to a tracer by OpenTelemetry's names", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { sql } = yield* open()
        const spans: Array<Tracer.Span> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        yield* Effect.withTracer(sql`select 1`, tracer)
        const attributes = Object.fromEntries(spans[0]?.attributes ?? [])
        assert.include(attributes, {
          "db.system.name": "postgresql",
          "db.namespace": server.database,
          "db.query.text": "select 1",
          "db.client.connection.pool.name": "orders",
          "server.port": server.port
        })
      }))

    it.effect("keeps two databases apart, and gives a Service also as the program's SqlClient", () =>
      Effect.gen(function*() {
        class Orders extends Postgres.Service<Orders>()("orders") {}
        class Users extends Postgres.Service<Users>()("users") {}
        const server = yield* PostgresServer.PostgresServer
        const other = yield* server.createDatabase
        const layers = Layer.mergeAll(Orders.sqlLayer({ url: server.url }), Users.layer({ url: other.url }))
        const context = yield* Layer.build(layers)
        const name = (sql: SqlClient.SqlClient) => sql<{ name: string }>`select current_database() as name`
        assert.deepStrictEqual(yield* name(Context.get(context, Orders).sql), [{ name: server.database }])
        assert.deepStrictEqual(yield* name(Context.get(context, Users).sql), [{ name: other.name }])
        assert.strictEqual(Context.get(context, SqlClient.SqlClient), Context.get(context, Orders).sql)
        assert.strictEqual(Context.get(context, PgClient.PgClient), Context.get(context, Orders).sql)
      }).pipe(Backends.isolated, quiet))

    it.effect("leaves nothing open when its scope closes", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { createDatabase } = server
        const database = yield* createDatabase
        yield* Effect.scoped(Effect.gen(function*() {
          const { sql } = yield* open({ url: database.url })
          yield* Effect.forEach(Array(20).keys(), () => sql`select 1`, { concurrency: 10 })
        }))
        assert.strictEqual(yield* server.connections(database.name), 0)
      }))

    it.effect("counts a session in size.max until its socket is gone, which a silent server cannot put off", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { backend, sql, stats } = yield* open({ url })
        yield* sql`select 1`
        yield* sql`select 2`
        yield* proxy.blackHole
        yield* backend.clear()
        yield* Effect.sleep("100 millis")
        assert.strictEqual((yield* stats).closing, 1)
        yield* eventually(Effect.map(stats, ({ closing }) => closing === 0))
      }))

    it.effect("fails to start with fail-fast only, as a SqlError, when the server refuses", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        yield* proxy.refuse
        const exit = yield* Effect.exit(Effect.scoped(open({ url, pool: { size: { min: 1 }, start: "fail-fast" } })))
        assert.isTrue(Exit.isFailure(exit))
        const relaxed = yield* Effect.exit(Effect.scoped(open({ url, pool: { size: { min: 1 } } })))
        assert.isTrue(Exit.isSuccess(relaxed))
      }))
  })
})

describe.skipIf(!TestPostgres.available)("The log of a database", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("has slow statements, inside a transaction too, and every session where it is told to", () =>
      Effect.gen(function*() {
        const lines: Array<string> = []
        const capture = Logger.make(({ message }) => void lines.push(String(message)))
        const server = yield* PostgresServer.PostgresServer
        const options: Postgres.Options = {
          name: "orders",
          url: server.url,
          log: { slow: { warn: "100 millis" }, connections: true }
        }
        yield* Effect.scoped(Effect.gen(function*() {
          const { sql } = yield* Backends.isolated(Postgres.make(options))
          yield* sql`select ${"s3cret"}::text`
          yield* sql`select pg_sleep(0.15), 's3cret'`
          yield* sql.withTransaction(sql`select pg_sleep(0.15), ${"s3cret"}::text`)
        })).pipe(Effect.provide(Logger.layer([capture])))
        const slow = lines.filter((line) => line.includes("slow"))
        assert.deepStrictEqual(slow.map((line) => line.replace(/statement, [^:]*/, "statement")), [
          "postgres \"orders\": slow statement: select pg_sleep(?), ?",
          "postgres \"orders\": slow statement: select pg_sleep(?), $1::text"
        ])
        for (const what of ["opened in", "lent", "came back", "closed: Drained"]) {
          yield* eventually(Effect.sync(() => lines.some((line) => line.includes(`session ${what}`))))
        }
        assert.notInclude(lines.join("\n"), "s3cret")
      }))
  })
})
