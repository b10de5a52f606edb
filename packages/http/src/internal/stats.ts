/**
 * The numbers of all origins together, and of each.
 *
 * @internal
 */
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import * as Effect from "effect/Effect"
import type { Origin, Origins } from "./origins.ts"

/**
 * One origin.
 *
 * @since 0.1.0
 * @category models
 */
export interface OriginStats {
  readonly origin: string
  /** Requests that hold a connection. */
  readonly active: number
  /** Connections that are open and not in use. */
  readonly idle: number
  readonly waiting: number
  /** Of its circuit breaker, where it has one. */
  readonly circuit: "closed" | "open" | "half-open" | undefined
  /** Left out for now, since it failed more than the other `hosts`. */
  readonly ejected: boolean
}

/**
 * The numbers of a pool, over all origins: connections as they are on the network, borrows as requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends Pool.Stats {
  /** Connections that are open. */
  readonly total: number
  /** Requests that hold a connection, or open one. */
  readonly active: number
  readonly origins: ReadonlyArray<OriginStats>
}

const originStats = (origins: Origins, origin: Origin): OriginStats => {
  const { used, waiting } = origins.poolStats(origin)
  let idle = 0
  for (const connection of origins.sockets.connections) {
    if (connection.origin === origin.origin && connection.isIdle) idle++
  }
  const circuit = Policy.snapshot(origin.policy).circuit?.state
  const ejected = origins.upstream?.isEjected(origin.origin) ?? false
  return { origin: origin.origin, active: used, idle, waiting, circuit, ejected }
}

const sum = (all: ReadonlyArray<Pool.Stats>, key: keyof Pool.Stats): number =>
  all.reduce((total, stats) => total + stats[key], 0)

/** Of this moment. Those who wait are counted by the pool that they wait for. */
export const connectionsOf = (origins: Origins): Pool.Stats => connectionsWith(permitsOf(origins), origins)

const permitsOf = ({ permits }: Origins): Pool.Stats => Effect.runSync(Pool.stats(permits))

/** Who has a permit has a connection, or opens one. */
const connectionsWith = (
  permits: Pool.Stats,
  { sockets: { closed, open, opened, opening, reused } }: Origins
): Pool.Stats => {
  const used = Math.max(0, permits.used - opening)
  return { ...permits, used, opening, closing: 0, idle: Math.max(0, open - used), opened, closed, reused }
}

/** Of this moment. A request waits for its origin first and for a permit then: both count as waiting. */
export const statsOf = (origins: Origins): Stats => {
  const permits = permitsOf(origins)
  const connections = connectionsWith(permits, origins)
  const list = origins.list()
  const pools = list.map((origin) => origins.poolStats(origin))
  const both = [connections, ...pools]
  return {
    ...connections,
    waiting: sum(both, "waiting"),
    timedOut: sum(both, "timedOut"),
    refused: sum(both, "refused"),
    shed: sum(both, "shed"),
    cancelled: sum(both, "cancelled"),
    unavailable: sum(both, "unavailable"),
    nested: sum(both, "nested"),
    refusedClosed: sum(both, "refusedClosed"),
    revoked: sum(pools, "revoked"),
    total: origins.sockets.open,
    active: permits.used,
    origins: list.map((origin) => originStats(origins, origin))
  }
}
