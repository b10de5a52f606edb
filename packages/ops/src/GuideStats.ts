/**
 * The numbers of a backend under the names that services with hand-written pools have used for them, so that what reads
 * those goes on working. `/stats` has them as `guide` of each backend where `Ops` is given `guideStats`; `of` is for an
 * endpoint of the program's own.
 *
 * They are read from what backends publish anyway, and no server is asked: `active`, which only MongoDB's `serverStatus`
 * knows, is not among them. Those of Postgres are `/stats/database`.
 *
 * @since 0.1.0
 */
import type { Backend, Particulars } from "@breakwater/core/Backend"
import type * as Pool from "@breakwater/core/Pool"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Count = Schema.Int

/**
 * Of MongoDB: connections that are open, those that may be opened beyond, and those opened so far, of this process; what
 * the driver takes the deployment for (`ReplicaSetWithPrimary`, `Sharded`, `Single`, …), and the servers that have
 * answered it. The last two are missing before the driver has found anything.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Mongo = Schema.Struct({
  current: Count,
  available: Count,
  totalCreated: Count,
  topology_type: Schema.optionalKey(Schema.String),
  known_servers: Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * Of Redis: connections opened so far, ready to be lent, in use (those that callers share among them), and how many there
 * may be.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Redis = Schema.Struct({
  created_connections: Count,
  available_connections: Count,
  in_use_connections: Count,
  max_connections: Count
})

/**
 * Of HTTP, in the names of aiohttp's connector and in those of a gateway: connections that there may be, in all and to one
 * origin, those that are open, and the requests that have one or open one. What is about single origins is missing where a
 * backend does not tell them apart.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Http = Schema.Struct({
  limit: Count,
  limit_per_host: Schema.optionalKey(Count),
  connections: Count,
  acquired: Count,
  /** By origin: `https://api.example.com`. */
  acquired_per_host: Schema.optionalKey(Schema.Record(Schema.String, Count)),
  total_connections: Count,
  acquired_connections: Count,
  max_connections: Count,
  max_connections_per_host: Schema.optionalKey(Count)
})

/**
 * Of WebSocket connections: those that are open, how many there may be, and, of a server's, their ids, the oldest first.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WebSocket = Schema.Struct({
  total_connections: Count,
  max_connections: Count,
  connection_ids: Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * Of whatever backend.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Stats = Schema.Union([Mongo, Redis, Http, WebSocket])

type Named<A> = (pool: Pool.Stats, particulars: Particulars) => A

const open = ({ checking, closing, idle, used }: Pool.Stats): number => idle + used + checking + closing

const mongo: Named<typeof Mongo.Type> = (pool, { topology }) => ({
  current: open(pool),
  available: Math.max(0, pool.max - open(pool)),
  totalCreated: pool.opened,
  ...(topology !== undefined && { topology_type: topology.type, known_servers: topology.servers })
})

const redis: Named<typeof Redis.Type> = ({ idle, max, opened, used }) => ({
  created_connections: opened,
  available_connections: idle,
  in_use_connections: used,
  max_connections: max
})

const http: Named<typeof Http.Type> = (pool, { origins }) => {
  const { max, opening, used } = pool
  return {
    limit: max,
    connections: open(pool),
    acquired: used + opening,
    total_connections: open(pool),
    acquired_connections: used + opening,
    max_connections: max,
    ...(origins !== undefined && {
      limit_per_host: origins.max,
      acquired_per_host: origins.used,
      max_connections_per_host: origins.max
    })
  }
}

const webSocket: Named<typeof WebSocket.Type> = (pool, { ids }) => ({
  total_connections: open(pool),
  max_connections: pool.max,
  ...(ids !== undefined && { connection_ids: ids })
})

const kinds = new Map<string, Named<typeof Stats.Type>>([
  ["mongodb", mongo],
  ["redis", redis],
  ["http", http],
  ["websocket", webSocket]
])

/**
 * Those of a backend at this moment; null for a kind that has no such names. O(n) where there are `connection_ids`.
 *
 * @since 0.1.0
 * @category reading
 */
export const of = (backend: Backend): Effect.Effect<typeof Stats.Type | null> => {
  const named = kinds.get(backend.kind)
  return named === undefined
    ? Effect.succeed(null)
    : Effect.zipWith(backend.stats, backend.particulars ?? Effect.succeed({}), named)
}
