/** A server that dies and comes back. */
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { isSqlError } from "effect/sql/SqlError"
import { eventually, open } from "../utils/database.ts"

describe.skipIf(!TestPostgres.ownAvailable)("A server that is restarted", () => {
  it.live("costs no statement where the pool is paused meanwhile", () =>
    Effect.gen(function*() {
      const server = yield* PostgresServer.make({ sources: PostgresServer.ownSources })
      const { backend, sql, stats } = yield* Effect.provideService(
        open({ pool: { size: { min: 2, max: 4 } } }),
        PostgresServer.PostgresServer,
        server
      )
      let stop = false
      let answers = 0
      const call = Effect.map(sql`select pg_sleep(0.005)`, () => answers++)
      const load = yield* Effect.forkChild(
        Effect.forEach(Array(8).keys(), () => Effect.repeat(call, { while: () => !stop }), { concurrency: 8 })
      )
      yield* eventually(Effect.sync(() => answers > 20))
      yield* backend.pause!
      yield* eventually(Effect.map(stats, ({ closing, idle, used }) => idle + used + closing === 0))
      yield* server.restart
      assert.include(yield* stats, { opening: 0, waiting: 8 })
      const before = answers
      yield* backend.resume!
      yield* eventually(Effect.sync(() => answers > before + 20))
      stop = true
      yield* Fiber.join(load)
    }).pipe(Effect.scoped), 30_000)
})

describe.skipIf(!TestPostgres.ownAvailable)("A killed server", () => {
  it.live("shows as typed failures while it is down, and is used again when it is back", () =>
    Effect.gen(function*() {
      const server = yield* PostgresServer.make({ sources: PostgresServer.ownSources })
      const { sql, stats } = yield* Effect.provideService(
        open({ pool: { size: { min: 2, max: 4 } } }),
        PostgresServer.PostgresServer,
        server
      )
      yield* sql`select 1`
      yield* server.kill
      for (let n = 0; n < 10; n++) {
        const exit = yield* Effect.exit(sql`select 1`)
        if (Exit.isSuccess(exit)) continue
        assert.deepStrictEqual(exit.cause.reasons.map(({ _tag }) => _tag), ["Fail"])
        assert.isTrue(exit.cause.reasons.every((reason) => reason._tag === "Fail" && isSqlError(reason.error)))
      }
      yield* server.start
      yield* eventually(Effect.map(Effect.exit(sql`select 1`), Exit.isSuccess))
      yield* eventually(Effect.map(stats, ({ idle }) => idle >= 2))
      assert.isAtMost(yield* server.connections(), 4)
    }).pipe(Effect.scoped), 30_000)
})
