/**
 * The raw session, lent for one effect and looked after: one that comes back inside a transaction, or whose statement
 * was interrupted, is closed.
 *
 * @internal
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Parts } from "./client.ts"
import * as Lease from "./lease.ts"

/** Statements pass through, so that what opens or ends a transaction is seen without asking the server. */
const viewOf = (lease: Lease.Lease): PgConnection.PgConnection => {
  const { pg } = lease
  const view: PgConnection.PgConnection = {
    ...pg,
    config: pg.config,
    processId: pg.processId,
    pin: Effect.suspend(() => Effect.succeed(view)),
    query: (sql, params, prepare) => lease.watch(sql, pg.query(sql, params, prepare)),
    queryValues: (sql, params, prepare) => lease.watch(sql, pg.queryValues(sql, params, prepare)),
    stream: (sql, params) => lease.watchStream(sql, pg.stream(sql, params)),
    listen: (channel) => lease.listen(channel)
  }
  return view
}

export const useRaw = <A, E, R>(
  parts: Parts,
  f: (session: PgConnection.PgConnection) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => new Lease.Lease(parts, `${parts.settings.name}.use`)),
    (lease) => Effect.flatMap(Lease.taken(lease), () => f(viewOf(lease))),
    (lease) => lease.release
  )
