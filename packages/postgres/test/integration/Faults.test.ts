/** A server that dies and comes back. */
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { isSqlError } from "effect/sql/SqlError"
import { eventually, open } from "../utils/database.ts"

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
