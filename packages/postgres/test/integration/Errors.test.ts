/** Every failure is a `SqlError` that says whether to try again, and whose cause says who is to blame. */
import { Operation, PolicyError, PoolError } from "@breakwater/core"
import { PostgresError } from "@breakwater/postgres"
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { eventually, onOwnServer, open, proxied } from "../utils/database.ts"

/** Keeps the one session of a pool busy until the scope closes. */
const busy = (postgres: Effect.Success<ReturnType<typeof open>>) =>
  Effect.gen(function*() {
    yield* Effect.forkScoped(Effect.ignore(postgres.sql`select pg_sleep(10)`))
    yield* eventually(Effect.map(postgres.stats, ({ used }) => used === 1))
  })

const poolReason = (error: SqlError) => Option.getOrUndefined(PoolError.fromSqlError(error))?.reason
const lost = (error: SqlError) => Option.getOrUndefined(PostgresError.fromSqlError(error))?.reason
const policyReason = (error: SqlError) => Option.getOrUndefined(PolicyError.fromSqlError(error))?.reason

const through = (error: SqlError) => [error.reason._tag, error.isRetryable] as const

describe.skipIf(!TestPostgres.available)("Errors", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("AcquireTimeout: ConnectionError that names the oldest holder", () =>
      Effect.gen(function*() {
        const postgres = yield* open({ pool: { size: { max: 1 }, wait: { timeout: "100 millis" } } })
        yield* busy(postgres)
        const error = yield* Effect.flip(postgres.sql`select 1`)
        assert.deepStrictEqual(through(error), ["ConnectionError", true])
        const reason = poolReason(error)
        assert.strictEqual(reason?._tag, "AcquireTimeout")
        if (reason?._tag !== "AcquireTimeout") return
        assert.strictEqual(reason.oldestHolder?.label, "orders.select")
        assert.isAtLeast(Duration.toMillis(reason.oldestHolder!.age), 100)
        assert.strictEqual(reason.phase, "queue")
      }))

    it.effect("QueueFull: ConnectionError", () =>
      Effect.gen(function*() {
        const postgres = yield* open({ pool: { size: { max: 1 }, wait: { maxWaiting: 1 } } })
        yield* busy(postgres)
        yield* Effect.forkScoped(Effect.ignore(postgres.sql`select 1`))
        yield* eventually(Effect.map(postgres.stats, ({ waiting }) => waiting === 1))
        const error = yield* Effect.flip(postgres.sql`select 2`)
        assert.deepStrictEqual(through(error), ["ConnectionError", true])
        assert.strictEqual(poolReason(error)?._tag, "QueueFull")
      }))

    it.effect("CircuitOpen: ConnectionError, one instance for all who are told", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open({
          policy: {
            timeout: "50 millis",
            deadline: "5 seconds",
            breaker: { window: 4, minimumCalls: 2, openFor: "1 minute" }
          }
        })
        const stuck = Effect.ignore(sql`select pg_sleep(5)`)
        yield* Effect.andThen(stuck, stuck)
        const [first, second] = yield* Effect.all([Effect.flip(sql`select 1`), Effect.flip(sql`select 1`)])
        assert.deepStrictEqual(through(first), ["ConnectionError", true])
        assert.strictEqual(first, second)
        assert.strictEqual(policyReason(first)?._tag, "CircuitOpen")
        assert.strictEqual((yield* backend.policy).circuit?.state, "open")
      }))

    it.effect("CircuitOpen: until the server can be dialled again", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { backend, sql } = yield* open({
          url,
          pool: { size: { min: 1 }, dial: { timeout: "100 millis" } },
          policy: { timeout: "50 millis", breaker: { window: 4, minimumCalls: 2, openFor: "1 hour" } }
        })
        yield* sql`select 1`
        yield* proxy.blackHole
        yield* eventually(
          Effect.map(Effect.flip(sql`select 1`), (error) => policyReason(error)?._tag === "CircuitOpen")
        )
        yield* eventually(Effect.map(backend.detail!, ({ lastError }) => lastError !== undefined))
        yield* proxy.restore
        yield* eventually(Effect.map(Effect.exit(sql`select 1`), Exit.isSuccess))
      }))

    it.effect("Unavailable: ConnectionError, one instance for all who are told", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        yield* proxy.refuse
        const { sql } = yield* open({ url, policy: { retry: false } })
        const first = yield* Effect.flip(sql`select 1`)
        assert.strictEqual(poolReason(first)?._tag, "Unavailable")
        const [one, other] = yield* Effect.all([Effect.flip(sql`select 1`), Effect.flip(sql`select 1`)])
        assert.deepStrictEqual(through(one), ["ConnectionError", true])
        assert.strictEqual(one, other)
      }))

    it.effect("Closed: UnknownError", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open()
        yield* backend.drain("1 second")
        const error = yield* Effect.flip(sql`select 1`)
        assert.deepStrictEqual(through(error), ["UnknownError", false])
        assert.strictEqual(poolReason(error)?._tag, "Closed")
      }))

    it.effect("Revoked: UnknownError", () =>
      Effect.gen(function*() {
        const postgres = yield* open()
        const fiber = yield* Effect.forkChild(Effect.flip(postgres.sql`select pg_sleep(10)`))
        yield* eventually(Effect.map(postgres.stats, ({ used }) => used === 1))
        yield* postgres.backend.clear({ interrupt: true })
        const error = yield* Fiber.join(fiber)
        assert.deepStrictEqual(through(error), ["UnknownError", false])
        assert.strictEqual(poolReason(error)?._tag, "Revoked")
      }))

    it.effect("DeadlineExceeded: UnknownError", () =>
      Effect.gen(function*() {
        const { sql } = yield* open({
          policy: { deadline: "200 millis" },
          startupParameters: { statement_timeout: "0" }
        })
        const error = yield* Effect.flip(sql`select pg_sleep(10)`)
        assert.deepStrictEqual(through(error), ["UnknownError", false])
        assert.strictEqual(policyReason(error)?._tag, "DeadlineExceeded")
      }))

    it.effect("AttemptTimeout: StatementTimeoutError where repeating is safe", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql } = yield* open({ url, policy: { timeout: "200 millis", retry: false } })
        yield* sql`select 1`
        yield* proxy.blackHole
        const safe = yield* Effect.flip(Operation.idempotent(sql`select 1`))
        assert.deepStrictEqual(through(safe), ["StatementTimeoutError", true])
        assert.strictEqual(policyReason(safe)?._tag, "AttemptTimeout")
      }))

    it.effect("AttemptTimeout: UnknownError where it is not, and the server said nothing", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql } = yield* open({ url, policy: { timeout: "200 millis" } })
        yield* sql`select 1`
        yield* proxy.blackHole
        const unsafe = yield* Effect.flip(sql`select 1`)
        assert.deepStrictEqual(through(unsafe), ["UnknownError", false])
        assert.strictEqual(policyReason(unsafe)?._tag, "AttemptTimeout")
      }))

    it.effect("AttemptTimeout: StatementTimeoutError where the server has confirmed that it cancelled", () =>
      Effect.gen(function*() {
        const { sql } = yield* open({
          policy: { timeout: "100 millis" },
          startupParameters: { statement_timeout: "0" }
        })
        const outside = yield* Effect.flip(sql`select pg_sleep(10)`)
        assert.deepStrictEqual(through(outside), ["StatementTimeoutError", true])
        assert.strictEqual(policyReason(outside)?._tag, "AttemptTimeout")
        const inside = yield* Effect.flip(sql.withTransaction(sql`select pg_sleep(10)`))
        assert.deepStrictEqual(through(inside), ["StatementTimeoutError", true])
      }))

    it.effect("a statement timeout of the server: StatementTimeoutError, and the session lives on", () =>
      Effect.gen(function*() {
        const { sql, stats } = yield* open({ startupParameters: { statement_timeout: "100" } })
        const error = yield* Effect.flip(sql`select pg_sleep(10)`)
        assert.deepStrictEqual(through(error), ["StatementTimeoutError", true])
        assert.strictEqual((yield* stats).closed, 0)
      }))

    it.effect("a connection lost after sending: UnknownError, ConnectionError where repeating is safe", () =>
      Effect.gen(function*() {
        const { sql } = yield* open()
        const suicide = sql`select pg_terminate_backend(pg_backend_pid())`
        const unsafe = yield* Effect.flip(suicide)
        assert.deepStrictEqual(through(unsafe), ["UnknownError", false])
        assert.include(lost(unsafe), { _tag: "ConnectionLost", sent: "unknown" })
        const safe = yield* Effect.flip(Operation.idempotent(suicide))
        assert.deepStrictEqual(through(safe), ["ConnectionError", true])
      }))

    const noRoom = "no room at the server (53300): ConnectionError with what the server said"
    it.effect.skipIf(!TestPostgres.ownAvailable)(noRoom, () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { createDatabase } = server
        const database = yield* createDatabase
        const admin = yield* open({ url: server.adminUrl })
        yield* admin.sql.unsafe(`alter database "${database.name}" connection limit 1`)
        const first = yield* open({ url: database.url, pool: { size: { max: 1, min: 1 } } })
        yield* first.sql`select 1`
        const { sql } = yield* open({ url: database.url })
        const error = yield* Effect.flip(sql`select 1`)
        assert.deepStrictEqual(through(error), ["ConnectionError", true])
        assert.strictEqual(poolReason(error)?._tag, "Unavailable")
        assert.match(error.message, /too many connections/)
      }).pipe(onOwnServer), 20_000)

    it.effect("what the server enforces keeps its own reason", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open({ policy: { retry: { times: 3 } } })
        yield* sql`create table once (id int primary key)`
        yield* sql`insert into once values (1)`
        const unique = yield* Effect.flip(sql`insert into once values (1)`)
        assert.deepStrictEqual(through(unique), ["UniqueViolation", false])
        const syntax = yield* Effect.flip(sql`selec 1`)
        assert.deepStrictEqual(through(syntax), ["SqlSyntaxError", false])
        assert.strictEqual((yield* backend.policy).retries, 0)
      }))

    it.effect("reads are repeated where the policy says so, other statements are not", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open({ policy: { reads: "idempotent", retry: { times: 2 } } })
        yield* Effect.flip(sql`select pg_terminate_backend(pg_backend_pid())`)
        assert.strictEqual((yield* backend.policy).retries, 2)
        yield* Effect.flip(sql`with gone as (select pg_terminate_backend(pg_backend_pid())) select * from gone`)
        assert.strictEqual((yield* backend.policy).retries, 2)
      }))
  })
})
