/** What is done around statements, beyond retry and breaker. */
import { Operation, Policy, PolicyError } from "@breakwater/core"
import { Postgres } from "@breakwater/postgres"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, Fiber, Redacted, Stream } from "effect"
import { eventually, open } from "../utils/database.ts"

/** The first to ask takes his time. */
const LATE_ONCE = "select case when pg_try_advisory_lock(7001) then pg_sleep(10)::text else 'soon' end as answer"

const reasonOf = (error: { readonly reason: { readonly cause: unknown } }) =>
  PolicyError.isPolicyError(error.reason.cause) ? error.reason.cause.reason._tag : undefined

describe("The policy of a Postgres", () => {
  it("refuses what there is not, by name", () => {
    const url = Redacted.make("postgres://localhost/orders")
    const misspelt = Object.assign({ deadline: "1 second" } as const, { bulkhaed: { permits: 1 } })
    assert.throws(
      () => Postgres.make({ name: "orders", url, policy: misspelt }),
      RangeError,
      "Option \"policy.bulkhaed\" is not known; allowed is one of deadline,"
    )
    assert.throws(
      () => Postgres.make({ name: "orders", url, policy: { bulkhead: { permits: 0 } } }),
      RangeError,
      "Option \"policy.bulkhead.permits\" is 0"
    )
    for (const preset of [Policy.standard, Policy.read, Policy.write, Policy.bestEffort]) {
      assert.doesNotThrow(() => Postgres.make({ name: "orders", url, policy: preset }))
    }
  })
})

describe.skipIf(!TestPostgres.available)("The policy of a Postgres", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((test) => {
    test.effect("asks a second session where the first is slow, and cancels what is not needed any more", () =>
      Effect.gen(function*() {
        const { backend, sql, stats } = yield* open({
          policy: { hedge: { after: "100 millis", cancelLoser: true } }
        })
        const [row] = yield* Operation.idempotent(sql.unsafe<{ answer: string }>(LATE_ONCE))
        assert.strictEqual(row?.answer, "soon")
        assert.include(yield* backend.policy, { hedges: 1, hedgesWon: 1, retries: 0 })
        yield* eventually(Effect.map(stats, ({ used }) => used === 0))
      }))

    test.effect("asks for one session of one's own, however long it takes", () =>
      Effect.gen(function*() {
        const { backend, sql, stats } = yield* open({
          pool: { size: { max: 2 } },
          policy: { reads: "idempotent", hedge: { after: "1 milli" } }
        })
        const rows = yield* sql.withTransaction(sql`select 1 as one`)
        assert.deepStrictEqual(rows, [{ one: 1 }])
        assert.include(yield* backend.policy, { hedges: 0 })
        assert.strictEqual((yield* stats).acquired, 1)
      }))

    test.effect("bounds the statements that run at once, and not the transactions", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open({ policy: { bulkhead: { permits: 1, queue: 0 } } })
        const running = yield* Effect.forkChild(sql`select pg_sleep(10)`)
        yield* eventually(Effect.map(backend.policy, ({ bulkhead }) => bulkhead?.running === 1))
        const refused = yield* Effect.flip(sql`select 1`)
        assert.strictEqual(refused.reason._tag, "ConnectionError")
        assert.strictEqual(reasonOf(refused), "BulkheadFull")
        yield* sql.withTransaction(sql`select 1`)
        assert.deepInclude((yield* backend.policy).bulkhead, { running: 1, waiting: 0, permits: 1 })
        yield* Fiber.interrupt(running)
      }))

    test.effect("bounds the rate of what the server is asked, to which a session of one's own does not belong", () =>
      Effect.gen(function*() {
        const { sql } = yield* open({ policy: { rateLimit: { limit: 2, interval: "1 hour", maxWait: 0 } } })
        yield* Effect.replicateEffect(Effect.scoped(Effect.asVoid(sql.reserve)), 5)
        yield* sql.withTransaction(sql`select 1`)
        yield* sql`select 1`
        assert.strictEqual(reasonOf(yield* Effect.flip(sql`select 1`)), "RateLimited")
      }))

    test.effect("finds by itself how many may run at once, from statements alone", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open({ policy: { adaptiveLimit: { limit: { initial: 3 } } } })
        const measured = Effect.map(backend.policy, ({ adaptiveLimit }) => adaptiveLimit?.unloaded !== undefined)
        yield* Effect.replicateEffect(Effect.scoped(Effect.asVoid(sql.reserve)), 100)
        assert.isFalse(yield* measured)
        yield* eventually(Effect.andThen(sql`select 1`, measured))
      }))

    test.effect("gets other times while it runs, also in transactions and streams", () =>
      Effect.gen(function*() {
        // The server's own limit would come at the same moment in the sessions that are opened later.
        const { backend, sql } = yield* open({
          policy: { retry: false },
          startupParameters: { statement_timeout: "30s" }
        })
        const slow = sql`select pg_sleep(10)`
        backend.update?.({ timeout: "100 millis" })
        assert.deepInclude(backend.limits, { timeout: Duration.millis(100), deadline: Duration.seconds(60) })
        assert.strictEqual(reasonOf(yield* Effect.flip(slow)), "AttemptTimeout")
        assert.strictEqual(reasonOf(yield* Effect.flip(sql.withTransaction(slow))), "AttemptTimeout")
        assert.strictEqual(reasonOf(yield* Effect.flip(Stream.runDrain(slow.stream))), "AttemptTimeout")
      }))

    test.effect("has the server keep to the new timeout in the sessions that are opened then", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open({ pool: { size: { max: 1 } } })
        const timeout = Effect.map(
          sql<{ setting: string }>`select setting from pg_settings where name = 'statement_timeout'`,
          ([row]) => row?.setting
        )
        backend.update?.({ timeout: "20 seconds" })
        yield* backend.clear()
        assert.strictEqual(yield* timeout, "20000")
        backend.update?.({ timeout: "50 seconds" })
        assert.strictEqual(yield* timeout, "20000")
        yield* backend.clear()
        assert.strictEqual(yield* timeout, "50000")
      }))

    test.effect("keeps all of its settings where one is refused", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open()
        const before = backend.limits
        assert.throws(
          () => backend.update?.({ timeout: "1 milli", retry: { times: -1 } }),
          RangeError,
          "Option \"retry.times\" is -1"
        )
        assert.throws(() => backend.update?.({ timeout: "2 minutes" }), RangeError, "less than the deadline")
        assert.throws(
          () => backend.update?.({ bulkhead: { permits: 1 } }),
          RangeError,
          "Option \"bulkhead\" is to change"
        )
        assert.deepStrictEqual(backend.limits, before)
        yield* sql.withTransaction(sql`select pg_sleep(0.05)`)
      }))

    test.effect("is cut off by hand, and let through again", () =>
      Effect.gen(function*() {
        const { backend: { breaker }, sql } = yield* open()
        assert.isDefined(breaker)
        yield* breaker.setMode("forcedOpen")
        assert.strictEqual(reasonOf(yield* Effect.flip(sql`select 1`)), "CircuitOpen")
        assert.strictEqual(reasonOf(yield* Effect.flip(sql.withTransaction(sql`select 1`))), "CircuitOpen")
        yield* breaker.reset
        assert.strictEqual(reasonOf(yield* Effect.flip(sql`select 1`)), "CircuitOpen")
        yield* breaker.setMode("automatic")
        yield* sql`select 1`
        const without = yield* open({ policy: { breaker: false } })
        assert.isUndefined(without.backend.breaker)
      }))
  })
})
