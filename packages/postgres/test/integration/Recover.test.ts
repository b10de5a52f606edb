/** A pool whose sessions have all broken without a word, and one budget for what is tried again. */
import { RetryBudget } from "@breakwater/core"
import { PostgresError } from "@breakwater/postgres"
import { Fault } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, Option, Schedule } from "effect"
import { eventually, open, proxied } from "../utils/database.ts"

const SESSIONS = 10

/** All sessions are open, were used a moment ago, and are dead. */
const broken = (recover: false | undefined) =>
  Effect.gen(function*() {
    const { proxy, url } = yield* proxied
    const postgres = yield* open({
      url,
      // Of none that are kept: one that is opened in place of a broken one would be lent first.
      pool: { size: { min: 0, max: SESSIONS }, check: { skipWithin: "1 minute" } },
      policy: { reads: "idempotent", retry: { times: 1 }, recover }
    })
    const used = Effect.flatMap(postgres.sql.reserve, (session) => session.executeRaw("select 1", []))
    yield* Effect.scoped(Effect.replicateEffect(used, SESSIONS))
    yield* eventually(Effect.map(postgres.stats, ({ idle }) => idle === SESSIONS))
    yield* proxy.apply(Fault.forget)
    const { attempts: before } = yield* postgres.backend.policy
    const counts = Effect.map(postgres.backend.policy, ({ attempts, recoveries }) => ({
      attempts: attempts - before,
      recoveries
    }))
    return { ...postgres, counts }
  })

describe.skipIf(!TestPostgres.available)("A broken pool", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("is cleared once for a hundred callers, who are all served after it", () =>
      Effect.gen(function*() {
        const { counts, sql, stats } = yield* broken(undefined)
        const answers = yield* Effect.forEach(Array(100).keys(), (n) => sql`select ${n}::int as n`, {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(answers.map(([row]) => row?.["n"]), Array.from(Array(100).keys()))
        const { attempts, recoveries } = yield* counts
        assert.strictEqual(recoveries, 1)
        assert.isAtMost(attempts, 100 + SESSIONS)
        assert.isAtMost((yield* stats).opened, 2 * SESSIONS)
      }))

    it.effect("costs one caller one attempt, and not one for each session that is dead", () =>
      Effect.gen(function*() {
        const { counts, sql } = yield* broken(undefined)
        for (let n = 0; n < SESSIONS; n++) yield* sql`select 1`
        assert.deepStrictEqual(yield* counts, { recoveries: 1, attempts: SESSIONS + 1 })
        const without = yield* broken(false)
        const error = yield* Effect.flip(without.sql`select 1`)
        assert.strictEqual(Option.getOrThrow(PostgresError.fromSqlError(error)).reason._tag, "ConnectionLost")
        assert.deepStrictEqual(yield* without.counts, { recoveries: 0, attempts: 2 })
      }))

    it.effect("is not cleared for a statement that took too long, or that the server refused", () =>
      Effect.gen(function*() {
        const { backend, sql, stats } = yield* open({
          pool: { size: { min: 2, max: 2 } },
          policy: { timeout: "200 millis", deadline: "10 seconds", retry: { times: 1 } }
        })
        yield* eventually(Effect.map(stats, ({ idle }) => idle === 2))
        yield* Effect.flip(sql`select pg_sleep(5)`)
        yield* Effect.flip(sql`select 1 / 0`)
        assert.include(yield* backend.policy, { recoveries: 0 })
      }))
  })
})

describe.skipIf(!TestPostgres.available)("The budget of a Postgres", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("pays for retries and reconnects together, and lets one dial a second through when it is spent", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const budget = RetryBudget.make({ perSecond: 0, share: 1 })
        const { backend, sql } = yield* open({
          url,
          pool: { size: { min: 1, max: 2 }, dial: { backoff: Schedule.spaced("10 millis") } },
          policy: { reads: "idempotent", retry: { times: 3, budget } }
        })
        yield* Effect.replicateEffect(sql`select 1`, 20)
        assert.strictEqual((yield* backend.policy).retryBudget?.balance, 20)
        // Nobody listens there: the proxy accepts, and hangs up.
        yield* proxy.retarget({ host: "127.0.0.1", port: 1 })
        const { accepted } = yield* proxy.stats
        const [took] = yield* Effect.timed(Effect.andThen(
          proxy.cut,
          eventually(Effect.map(proxy.stats, (stats) => stats.accepted - accepted >= 23))
        ))
        assert.isAtLeast(Duration.toMillis(took), 1000)
        assert.isBelow((yield* backend.policy).retryBudget!.balance, 1)
        // Whom the pool holds off pays nothing, and so may come again.
        yield* Effect.flip(sql`select 1`)
        assert.include(yield* backend.policy, { retries: 3, overBudget: 0 })
      }))
  })
})
