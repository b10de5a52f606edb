/** A transaction is committed, or not, or nobody knows; and the caller is told which. */
import { Operation } from "@breakwater/core"
import { PostgresError } from "@breakwater/postgres"
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Option } from "effect"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { elapsed, open, proxied } from "../utils/database.ts"

/** The one typed failure of an exit; a defect or an interruption fails the test. */
const failureOf = <A, E>(exit: Exit.Exit<A, E>): E => {
  if (Exit.isSuccess(exit)) return assert.fail("it succeeded")
  assert.deepStrictEqual(exit.cause.reasons.map(({ _tag }) => _tag), ["Fail"], Cause.pretty(exit.cause))
  return Option.getOrThrow(Cause.findErrorOption(exit.cause))
}

const reasonOf = (error: unknown) =>
  isSqlError(error) ? Option.getOrUndefined(PostgresError.fromSqlError(error))?.reason._tag : undefined

describe.skipIf(!TestPostgres.available)("Transactions", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("commits what succeeds and rolls back what fails", () =>
      Effect.gen(function*() {
        const { sql } = yield* open()
        yield* sql`create table kept (n int)`
        yield* sql.withTransaction(sql`insert into kept values (1)`)
        yield* Effect.exit(sql.withTransaction(Effect.andThen(sql`insert into kept values (2)`, Effect.fail("no"))))
        assert.deepStrictEqual(yield* sql`select n from kept`, [{ n: 1 }])
      }))

    it.effect("rolls back to a savepoint and goes on", () =>
      Effect.gen(function*() {
        const { sql } = yield* open()
        yield* sql`create table nested (n int)`
        yield* sql.withTransaction(Effect.gen(function*() {
          yield* sql`insert into nested values (1)`
          yield* Effect.exit(sql.withTransaction(Effect.andThen(sql`insert into nested values (2)`, sql`select 1 / 0`)))
          yield* sql.withTransaction(sql`insert into nested values (3)`)
        }))
        assert.deepStrictEqual(yield* sql`select n from nested order by n`, [{ n: 1 }, { n: 3 }])
      }))

    it.effect("never reports an aborted transaction as committed", () =>
      Effect.gen(function*() {
        const { sql, stats } = yield* open({ pool: { size: { max: 1 } } })
        const error = failureOf(yield* Effect.exit(sql.withTransaction(Effect.ignore(sql`select 1 / 0`))))
        assert.strictEqual(error.reason._tag, "UnknownError")
        assert.strictEqual(reasonOf(error), "TransactionAborted")
        // The server has rolled back: the session is as good as new.
        assert.strictEqual((yield* stats).idle, 1)
      }))

    it.effect("never reports an aborted transaction as committed where a savepoint was in it", () =>
      Effect.gen(function*() {
        const { sql } = yield* open()
        const swallowed = sql.withTransaction(Effect.ignore(sql`select 1 / 0`))
        const error = failureOf(yield* Effect.exit(sql.withTransaction(swallowed)))
        assert.strictEqual(error.reason._tag, "UnknownError")
        assert.include(["TransactionAborted", "TransactionLost"], reasonOf(error))
      }))

    it.effect("keeps the program's own error when the connection is cut", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { sql } = yield* open()
        const exit = yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
          yield* sql`select 1`
          yield* server.terminateAll()
          return yield* sql`select 2`
        })))
        assert.strictEqual(failureOf(exit)._tag, "SqlError")
        const own = yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
          yield* sql`select 1`
          yield* server.terminateAll()
          return yield* Effect.fail("mine" as const)
        })))
        assert.strictEqual(failureOf(own), "mine")
      }))

    it.effect("keeps the program's own error, soon, when the server does not answer to ROLLBACK", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql, stats } = yield* open({ url })
        const { duration, value } = yield* elapsed(Effect.exit(sql.withTransaction(
          sql`select 1`.pipe(Effect.andThen(proxy.blackHole), Effect.andThen(Effect.fail("mine" as const)))
        )))
        assert.strictEqual(failureOf(value), "mine")
        assert.isBelow(Duration.toMillis(duration), 3000)
        assert.strictEqual((yield* stats).used, 0)
      }))

    it.effect("fails every later statement of a transaction whose connection was cut, COMMIT too", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { sql } = yield* open()
        yield* sql`create table lost (n int)`
        let later: SqlError | undefined
        const exit = yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
          yield* sql`insert into lost values (1)`
          yield* server.terminateAll()
          yield* Effect.exit(sql`select 1`)
          later = yield* Effect.flip(sql`select 2`)
        })))
        assert.strictEqual(reasonOf(later), "TransactionLost")
        assert.strictEqual(reasonOf(failureOf(exit)), "TransactionLost")
        assert.deepStrictEqual(yield* sql`select n from lost`, [])
      }))

    it.effect("begins anew on another session when the borrowed one is dead", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { sql } = yield* open({ pool: { size: { min: 2, max: 2 } } })
        for (let round = 0; round < 5; round++) {
          yield* Effect.all([sql`select 1`, sql`select 2`], { concurrency: 2 })
          yield* server.terminateAll()
          assert.deepStrictEqual(yield* sql.withTransaction(sql`select 1 as one`), [{ one: 1 }])
        }
      }))

    it.effect("says that nobody knows when COMMIT was sent and the connection is cut", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql } = yield* open({ url })
        yield* sql`create table unknown_cut (n int)`
        // The insert is answered; from then on nothing passes, and the connection ends while COMMIT waits.
        const exit = yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
          yield* sql`insert into unknown_cut values (1)`
          yield* proxy.blackHole
          yield* Effect.forkDetach(Effect.andThen(Effect.sleep("100 millis"), proxy.reset))
        })))
        const error = failureOf(exit)
        assert.strictEqual(error.reason._tag, "UnknownError")
        assert.strictEqual(reasonOf(error), "CommitUnknown")
        assert.isFalse(error.isRetryable)
      }))

    it.effect("says that nobody knows when COMMIT is not answered in time", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql, stats } = yield* open({ url, policy: { timeout: "300 millis", retry: { times: 3 } } })
        yield* sql`create table unknown_silent (n int)`
        const { duration, value } = yield* elapsed(Effect.exit(
          sql.withTransaction(Effect.andThen(sql`insert into unknown_silent values (1)`, proxy.blackHole))
        ))
        assert.strictEqual(reasonOf(failureOf(value)), "CommitUnknown")
        assert.isBelow(Duration.toMillis(duration), 2000)
        assert.strictEqual((yield* stats).used, 0)
      }))

    it.effect("tells of a commit that did happen as unknown, never as failed", () =>
      Effect.gen(function*() {
        const { proxy, server, url } = yield* proxied
        const { sql } = yield* open({ url, policy: { timeout: "300 millis" } })
        yield* sql`create table committed (n int)`
        // Requests pass, answers do not.
        const deaf = {
          name: "deaf",
          passage: () => ({ direction }: { readonly direction: "up" | "down" }) => direction === "down" ? Infinity : 0
        }
        const exit = yield* Effect.exit(
          sql.withTransaction(Effect.andThen(sql`insert into committed values (1)`, proxy.apply(deaf)))
        )
        assert.strictEqual(reasonOf(failureOf(exit)), "CommitUnknown")
        const direct = yield* open({ url: server.url })
        assert.deepStrictEqual(yield* direct.sql`select n from committed`, [{ n: 1 }])
      }))

    it.effect("does not repeat a statement inside a transaction", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open({ policy: { retry: { times: 3 } } })
        const before = yield* backend.policy
        const suicide = sql`select pg_terminate_backend(pg_backend_pid())`
        yield* Effect.exit(Operation.idempotent(sql.withTransaction(suicide)))
        assert.strictEqual((yield* backend.policy).retries, before.retries)
      }))

    it.effect("does not cancel the statement that runs when one that waits behind it is given up", () =>
      Effect.gen(function*() {
        const { sql } = yield* open()
        const both = sql.withTransaction(Effect.all([
          sql`select pg_sleep(0.4)`,
          Effect.andThen(Effect.sleep("50 millis"), Effect.timeoutOption(sql`select 1`, "100 millis"))
        ], { concurrency: 2 }))
        const [slept, waited] = yield* both
        assert.strictEqual(slept.length, 1)
        assert.isTrue(Option.isNone(waited))
      }))

    it.effect("rolls back and frees the session when the program is interrupted", () =>
      Effect.gen(function*() {
        const { sql, stats } = yield* open({ pool: { size: { max: 1 } } })
        yield* sql`create table interrupted (n int)`
        yield* Effect.exit(
          sql.withTransaction(Effect.andThen(sql`insert into interrupted values (1)`, Effect.never)).pipe(
            Effect.timeout("50 millis")
          )
        )
        assert.strictEqual((yield* stats).used, 0)
        assert.deepStrictEqual(yield* sql`select n from interrupted`, [])
      }))
  })
})
