/** One statement on a session of its own, and sessions that stay open. */
import { PostgresServer } from "@breakwater/testing"
import { PgConnection } from "@effect/sql-pg"
import { Effect } from "effect"
import type { Redacted } from "effect"

export const query = (url: Redacted.Redacted, sql: string, params: ReadonlyArray<unknown> = []) =>
  Effect.scoped(Effect.flatMap(open(url), (connection) => connection.query(sql, params))).pipe(
    Effect.map((result) => result.rows)
  )

export const open = (url: Redacted.Redacted) => PgConnection.make({ url })

/** Whether a server that may be killed can be had; where not, says so, and what needs one is skipped. */
export const ownServers = await Effect.runPromise(Effect.tap(PostgresServer.hasBinaries, (found) =>
  Effect.sync(() => {
    if (!found) process.stdout.write("[skipped] postgres: no server binaries; install PostgreSQL\n")
  })))
