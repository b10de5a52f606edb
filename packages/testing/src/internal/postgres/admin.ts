/**
 * What the helper asks a server for itself: over one short session each, so that none stays open beside the pool that
 * is tested.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { PostgresServerError } from "../../PostgresServerError.ts"
import { inRealTime } from "../realTime.ts"
import { errors } from "./errors.ts"

export const applicationName = "breakwater-testing"

/** Runs one statement on a session of its own; bounded in time. */
export const query = (
  url: Redacted.Redacted,
  operation: string,
  sql: string,
  params: ReadonlyArray<unknown> = []
): Effect.Effect<ReadonlyArray<PgConnection.Row>, PostgresServerError> =>
  PgConnection.make({ url, applicationName, prepare: false }).pipe(
    Effect.flatMap((connection) => connection.query(sql, params)),
    Effect.timeout("15 seconds"),
    Effect.scoped,
    Effect.mapBoth({
      onSuccess: (result) => result.rows,
      onFailure: (cause) => errors.adminFailed(operation, cause)
    }),
    inRealTime
  )

/** The parts of a Postgres URL, or `InvalidUrl`, which does not repeat it: it holds a password. */
export const parseUrl = (url: Redacted.Redacted): Effect.Effect<URL, PostgresServerError> =>
  Effect.suspend(() => {
    const parsed = URL.parse(Redacted.value(url))
    return parsed !== null && /^postgres(ql)?:$/.test(parsed.protocol) && parsed.hostname !== ""
      ? Effect.succeed(parsed)
      : Effect.fail(errors.invalidUrl())
  })

/** The same URL with another database. */
export const withDatabase = (url: URL, database: string): Redacted.Redacted => {
  const copy = new URL(url)
  copy.pathname = `/${encodeURIComponent(database)}`
  return Redacted.make(copy.href)
}

export const identifier = (name: string): string => `"${name.replaceAll("\"", "\"\"")}"`

export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** Not from `Random`: files of one run must not choose the same name, whatever their seed. */
export const freshName = (): string => `breakwater_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`
