/** What an interrupted statement leaves behind, and how long its end takes. sql-pg alone waits five seconds. */
import { PolicyError, PoolEvent } from "@breakwater/core"
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Random, Stream } from "effect"
import { elapsed, eventually, open, proxied, running } from "../utils/database.ts"

const LIMIT = 2000

describe.skipIf(!TestPostgres.available)("Cancelling", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("ends an interrupted statement at once, at the server too", () =>
      Effect.gen(function*() {
        const postgres = yield* open()
        const fiber = yield* Effect.forkChild(postgres.sql`select pg_sleep(30), 'interrupted'`)
        yield* eventually(Effect.map(running(postgres, "%interrupted%"), (count) => count === 1))
        const { duration } = yield* elapsed(Fiber.interrupt(fiber))
        assert.isBelow(Duration.toMillis(duration), LIMIT)
        yield* eventually(Effect.map(running(postgres, "%interrupted%"), (count) => count === 0))
        assert.strictEqual((yield* postgres.stats).cancelRequests, 1)
      }))

    it.effect("ends an interrupted statement on a silent server", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql, stats } = yield* open({ url, pool: { size: { max: 2 } } })
        yield* sql`select 1`
        yield* proxy.blackHole
        const { duration } = yield* elapsed(Effect.exit(Effect.timeout(sql`select 2`, "200 millis")))
        assert.isBelow(Duration.toMillis(duration), LIMIT)
        assert.strictEqual((yield* stats).used, 0)
        yield* proxy.restore
        assert.deepStrictEqual(yield* sql`select 3 as x`, [{ x: 3 }])
      }))

    it.effect("ends an attempt that has timed out, on a healthy and on a silent server", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql } = yield* open({
          url,
          policy: { timeout: "200 millis", deadline: "10 seconds" },
          startupParameters: { statement_timeout: "0" }
        })
        const healthy = yield* elapsed(Effect.flip(sql`select pg_sleep(30)`))
        assert.isBelow(Duration.toMillis(healthy.duration), LIMIT)
        yield* sql`select 1`
        yield* proxy.blackHole
        const silent = yield* elapsed(Effect.flip(sql`select 1`))
        assert.isBelow(Duration.toMillis(silent.duration), LIMIT)
      }))

    it.effect("ends a transaction whose server has fallen silent", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql } = yield* open({ url })
        const { duration } = yield* elapsed(Effect.exit(
          sql.withTransaction(Effect.andThen(Effect.andThen(sql`select 1`, proxy.blackHole), sql`select 2`)).pipe(
            Effect.timeout("300 millis")
          )
        ))
        assert.isBelow(Duration.toMillis(duration), LIMIT)
      }))

    it.effect("ends a stream whose server has fallen silent, typed", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { sql, stats } = yield* open({ url, policy: { timeout: "300 millis" } })
        const { duration, value } = yield* elapsed(Effect.flip(
          sql<{ n: number }>`select n, pg_sleep(0.02), repeat('x', 10000) from generate_series(1, 50) n`.stream.pipe(
            Stream.tap(() => proxy.blackHole),
            Stream.runDrain
          )
        ))
        assert.strictEqual(value.reason._tag, "UnknownError")
        assert.strictEqual(Option.getOrUndefined(PolicyError.fromSqlError(value))?.reason._tag, "AttemptTimeout")
        assert.isBelow(Duration.toMillis(duration), LIMIT)
        assert.strictEqual((yield* stats).used, 0)
      }))

    it.effect("never lends the session of an interrupted statement again, and says why it closed", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open({ pool: { size: { max: 1 } } })
        const closed = yield* backend.events.pipe(
          Stream.filter((event): event is PoolEvent.Closed => event._tag === "Closed"),
          Stream.take(2),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
        yield* Effect.sleep("20 millis")
        const pid = sql<{ pid: number }>`select pg_backend_pid() as pid`
        const [first] = yield* pid
        yield* Effect.exit(Effect.timeout(sql`select pg_sleep(30)`, "50 millis"))
        const [second] = yield* pid
        // Shorter than the grace that sql-pg gives before it sends a CancelRequest.
        yield* Effect.exit(Effect.timeout(sql`select pg_sleep(0.003)`, "1 millis"))
        const [third] = yield* pid
        assert.strictEqual(new Set([first?.pid, second?.pid, third?.pid]).size, 3)
        assert.deepStrictEqual((yield* Fiber.join(closed)).map(({ reason }) => reason), ["Cancelled", "Cancelled"])
      }))

    it.effect("ends a statement of a raw session, on a healthy and on a silent server", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const { stats, use } = yield* open({ url, pool: { size: { max: 1 } } })
        const sleep = Effect.timeout(use((session) => session.query("select pg_sleep(30)")), "200 millis")
        const healthy = yield* elapsed(Effect.exit(sleep))
        assert.isBelow(Duration.toMillis(healthy.duration), LIMIT)
        yield* eventually(Effect.map(stats, ({ closed }) => closed === 1))
        yield* use((session) => session.query("select 1"))
        yield* proxy.blackHole
        const silent = yield* elapsed(Effect.exit(sleep))
        assert.isBelow(Duration.toMillis(silent.duration), LIMIT)
      }))

    it.effect("opens no more than dial.concurrency sockets to cancel, and cuts the rest", () =>
      Effect.gen(function*() {
        const postgres = yield* open({ pool: { size: { max: 8 }, dial: { concurrency: 2 } } })
        const observer = yield* open({ pool: { size: { max: 1 } } })
        const fiber = yield* Effect.forkChild(
          Effect.forEach(Array(8).keys(), () => postgres.sql`select pg_sleep(30), 'many'`, { concurrency: 8 })
        )
        yield* eventually(Effect.map(running(observer, "%many%"), (count) => count === 8))
        const { duration } = yield* elapsed(Fiber.interrupt(fiber))
        assert.isBelow(Duration.toMillis(duration), LIMIT)
        yield* eventually(Effect.map(postgres.stats, ({ cancelling }) => cancelling === 0))
        const { cancelRequests, cutWithoutRequest } = yield* postgres.stats
        assert.strictEqual(cancelRequests + cutWithoutRequest, 8)
        assert.isAtLeast(cutWithoutRequest, 1)
      }))

    it.effect("lets the first statement of a session run for longer than what is asked of the server at the start", () =>
      Effect.gen(function*() {
        const { sql, stats } = yield* open({ pool: { size: { max: 1 }, start: "lazy" } })
        assert.strictEqual((yield* sql`select pg_sleep(1.3)`).length, 1)
        assert.strictEqual((yield* stats).cancelRequests, 0)
      }))

    it.effect("leaves nothing held and nothing running after 50 interrupts at random", () =>
      Effect.gen(function*() {
        const server = yield* PostgresServer.PostgresServer
        const { createDatabase } = server
        const { url } = yield* createDatabase
        const seed = yield* Random.nextIntBetween(1, 1_000_000)
        console.log(`seed ${seed}`)
        const postgres = yield* open({ url, pool: { size: { max: 4 } } })
        const { sql } = postgres
        const kinds = [
          sql`select pg_sleep(0.02), 'random'`,
          sql`select 'random', generate_series(1, 5000)`,
          sql.withTransaction(Effect.andThen(sql`select 'random'`, sql`select pg_sleep(0.01), 'random'`)),
          Stream.runDrain(sql`select 'random', generate_series(1, 20000)`.stream)
        ]
        const one = Effect.gen(function*() {
          const kind = kinds[yield* Random.nextIntBetween(0, kinds.length - 1)]!
          const fiber = yield* Effect.forkChild(kind)
          yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 30)))
          yield* Fiber.interrupt(fiber)
        })
        yield* Effect.forEach(Array(50).keys(), () => one, { concurrency: 6, discard: true }).pipe(
          Random.withSeed(seed)
        )
        assert.strictEqual((yield* postgres.stats).used, 0)
        yield* eventually(Effect.map(running(postgres, "%random%"), (count) => count === 0))
        assert.deepStrictEqual(yield* sql`select 1 as one`, [{ one: 1 }])
        const { closing, idle, opening } = yield* postgres.stats
        assert.isAtMost(idle + closing + opening, 4)
      }), 20_000)
  })
})
