/** One statement on a session of its own, and sessions that stay open. */
import { PgConnection } from "@effect/sql-pg"
import { Effect } from "effect"
import type { Redacted } from "effect"

export const query = (url: Redacted.Redacted, sql: string, params: ReadonlyArray<unknown> = []) =>
  Effect.scoped(Effect.flatMap(open(url), (connection) => connection.query(sql, params))).pipe(
    Effect.map((result) => result.rows)
  )

export const open = (url: Redacted.Redacted) => PgConnection.make({ url })
