/** For how long sessions are held while nothing runs on them. */
import type { Histogram } from "@breakwater/core"
import type { Postgres } from "@breakwater/postgres"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { open } from "../utils/database.ts"

const timesOf = ({ backend }: Postgres.Postgres) =>
  Effect.map(backend.detail ?? Effect.undefined, (detail) => {
    const { heldIdle, operation, use } = detail?.times ?? {}
    return { idle: totalOf(heldIdle), operation: totalOf(operation), use: totalOf(use) }
  })

const totalOf = (snapshot: Histogram.Snapshot | undefined) => ({ count: snapshot?.count, sum: snapshot?.sum ?? NaN })

/** Seconds. */
const [SLEEP, THOUGHT] = [0.2, 0.3]
const think = Effect.sleep(THOUGHT * 1000)

describe.skipIf(!TestPostgres.available)("The time that a session is held and idle", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("is what a statement outside of a transaction does not take", () =>
      Effect.gen(function*() {
        const postgres = yield* open()
        yield* postgres.sql`select pg_sleep(${SLEEP})`
        const { idle, operation, use } = yield* timesOf(postgres)
        assert.deepStrictEqual([idle.count, operation.count, use.count], [1, 1, 1])
        assert.approximately(idle.sum, use.sum - operation.sum, 1e-6)
        assert.isBelow(idle.sum, use.sum / 2)
      }))

    it.effect("is the sum of the gaps between the statements of a transaction", () =>
      Effect.gen(function*() {
        const postgres = yield* open()
        const { sql } = postgres
        yield* sql.withTransaction(Effect.gen(function*() {
          yield* sql`select pg_sleep(${SLEEP})`
          yield* think
          yield* sql`select pg_sleep(${SLEEP})`
          yield* Effect.ignore(sql.withTransaction(sql`select 1 / 0`))
          yield* think
        }))
        const { idle, operation, use } = yield* timesOf(postgres)
        assert.deepStrictEqual([idle.count, use.count], [1, 1])
        assert.approximately(idle.sum, use.sum - operation.sum, 1e-6)
        assert.isAtLeast(idle.sum, 2 * THOUGHT * 0.99)
        assert.isAtLeast(operation.sum, 2 * SLEEP * 0.99)
      }))

    it.effect("is of an interrupted statement only what comes before and after it", () =>
      Effect.gen(function*() {
        const postgres = yield* open()
        const { sql } = postgres
        yield* Effect.exit(sql.withTransaction(Effect.timeout(sql`select pg_sleep(5)`, "200 millis")))
        const { idle, operation, use } = yield* timesOf(postgres)
        assert.approximately(idle.sum, use.sum - operation.sum, 1e-6)
      }))

    it.effect("is that of a stream's reader", () =>
      Effect.gen(function*() {
        const postgres = yield* open()
        yield* Stream.runForEachArray(postgres.sql`select generate_series(1, 3)`.stream, () => think)
        const { idle, use } = yield* timesOf(postgres)
        assert.deepStrictEqual([idle.count, use.count], [1, 1])
        assert.isAtLeast(idle.sum, THOUGHT * 0.99)
      }))

    it.effect("is not the time of a stream's rows", () =>
      Effect.gen(function*() {
        const postgres = yield* open()
        yield* Stream.runDrain(postgres.sql`select pg_sleep(${SLEEP})`.stream)
        const { idle, use } = yield* timesOf(postgres)
        assert.isAtMost(idle.sum, use.sum - SLEEP * 0.99)
      }))

    it.effect("is known of a raw session as well", () =>
      Effect.gen(function*() {
        const postgres = yield* open()
        yield* postgres.use((session) =>
          Effect.andThen(session.query("select pg_sleep($1)", [SLEEP]), think).pipe(
            Effect.andThen(Stream.runDrain(session.stream("select pg_sleep($1)", [SLEEP])))
          )
        )
        const { idle, use } = yield* timesOf(postgres)
        assert.isAtLeast(idle.sum, THOUGHT * 0.99)
        assert.isAtMost(idle.sum, use.sum - 2 * SLEEP * 0.99)
      }))

    it.effect("is none of a listener, which is there to wait, nor of a health check", () =>
      Effect.gen(function*() {
        const postgres = yield* open()
        yield* Effect.scoped(Effect.andThen(postgres.sql.listen("news"), think))
        yield* postgres.use((session) => Effect.scoped(Effect.andThen(session.listen("news"), think)))
        assert.strictEqual((yield* postgres.backend.health).status, "healthy")
        const { idle, use } = yield* timesOf(postgres)
        assert.deepStrictEqual([idle, use.count], [{ count: 3, sum: 0 }, 3])
        assert.isAtLeast(use.sum, 2 * THOUGHT * 0.99)
      }))
  })
})
