/**
 * How many connections: the arithmetic of the guides, and Little's law from what was measured.
 *
 * Four things bound a pool, and `advise` names the one that counts: what the load needs, what the server's limit leaves
 * to each process, what its memory bears, and what its cores can do at once. A measurement beats the guides' rules of
 * thumb; a limit of the server beats both.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as validate from "../internal/validate.ts"
import type * as Pool from "../pool/Pool.ts"
import * as advice from "./internal/sizingAdvice.ts"
import * as tables from "./internal/sizingTables.ts"

/**
 * From, and up to; without an end where that is `undefined`.
 *
 * @since 0.1.0
 * @category models
 */
export type Range = tables.Range

/**
 * How large a service is, in the words of the guides' table.
 *
 * @since 0.1.0
 * @category models
 */
export type Scale = tables.Scale

/**
 * The server that the connections lead to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Server {
  readonly cores?: number | undefined
  /** Disks that seek; 1 for a solid-state one. Default 1. */
  readonly spindles?: number | undefined
  /** Its own limit, as Postgres's `max_connections`. Default: 100, as Postgres has it. */
  readonly maxConnections?: number | undefined
  /** The part of them that is not for services, as `superuser_reserved_connections`. Default 3. */
  readonly reserved?: number | undefined
  readonly memory?: {
    /** Bytes that connections may take. */
    readonly available: number
    /** Bytes of `work_mem`. Default 4 MiB. */
    readonly workMem?: number | undefined
    /** `max_parallel_workers`. Default 2, as in the guides' example. */
    readonly parallelWorkers?: number | undefined
  } | undefined
  /** A pooler such as PgBouncer is in between already. Default false. */
  readonly pooler?: boolean | undefined
}

/**
 * How many processes share the server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Deployment {
  /** Processes of a service. Default 1. */
  readonly replicas?: number | undefined
  /** Processes beyond the replicas while a new version comes up. Default 0. */
  readonly surge?: number | undefined
  /** Services of the same size that use the same server. Default 1. */
  readonly services?: number | undefined
}

/**
 * What one service has to do, all its processes together.
 *
 * @since 0.1.0
 * @category models
 */
export interface Load {
  /** Borrows a second. A request that borrows twice counts twice. */
  readonly rate?: number | undefined
  /** For how long each holds its connection, in the mean. */
  readonly hold?: Duration.Input | undefined
  readonly users?: number | undefined
}

/**
 * The pool as it is, and what it went through of late.
 *
 * @since 0.1.0
 * @category models
 */
export interface Current {
  /** `size.max` of one process. */
  readonly max: number
  readonly idle?: number | undefined
  readonly waiting?: number | undefined
  /** Borrows that got no connection in time. */
  readonly timedOut?: number | undefined
  /** 95th percentile of the hold. */
  readonly slowHold?: Duration.Input | undefined
  /** 95th percentile of opening a connection. */
  readonly slowDial?: Duration.Input | undefined
}

/**
 * What is known. Every part may be missing; the advice says what it rests on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Situation {
  readonly server?: Server | undefined
  readonly deployment?: Deployment | undefined
  readonly load?: Load | undefined
  readonly pool?: Current | undefined
}

/**
 * One thing to know. `basis`: what the size rests on. `grow`, `shrink`: why it should change. `limit`: what stands in
 * the way. `setting`: another setting than the size. `elsewhere`: no size is the cure. `contradiction`: the guides say
 * two things, and which one was taken.
 *
 * @since 0.1.0
 * @category models
 */
export interface Finding {
  readonly kind: "basis" | "grow" | "shrink" | "limit" | "setting" | "elsewhere" | "contradiction"
  readonly says: string
  /** Where the rule comes from. */
  readonly source: string
}

/**
 * Plain data, for JSON.
 *
 * @since 0.1.0
 * @category models
 */
export interface Advice {
  /** `size.max` of each process. */
  readonly limit: number
  /** What that is to the present one; `set` where none was given. */
  readonly change: "grow" | "shrink" | "keep" | "set"
  /** Replicas, surge and services together. */
  readonly processes: number
  /** Connections of all processes. */
  readonly total: number
  /** What the server's limit should be; changing Postgres's `max_connections` takes a restart. */
  readonly maxConnections: number
  /** Bytes that `total` connections may take at the server. */
  readonly memory: number
  readonly pooler: "optional" | "recommended" | "required"
  /** `null` where neither rate nor users are known. */
  readonly scale: Scale | null
  readonly findings: ReadonlyArray<Finding>
}

/**
 * The guides' table: requests a second, users, replicas, connections of each process and of all, the server's limit,
 * and whether a pooler is in order.
 *
 * @since 0.1.0
 * @category tables
 */
export const scales: Readonly<Record<Scale, tables.ScaleRow>> = tables.SCALES

/**
 * PgBouncer's settings in the guides, under the names of its environment variables.
 *
 * @since 0.1.0
 * @category tables
 */
export const pooler = { POOL_MODE: "transaction", MAX_CLIENT_CONN: 1000, DEFAULT_POOL_SIZE: 25 } as const

/**
 * What a database server can do at once: `cores * 2 + spindles`, and the figures that the guides say to use. Those are
 * given for 2, 4 and 8 cores; for others they are twice the formula, which is what the given ones come to.
 *
 * Throws a `RangeError` for fewer than one core or less than no spindle.
 *
 * @since 0.1.0
 * @category formulas
 */
export const byCores = (
  cores: number,
  spindles = 1
): { readonly formula: number; readonly use: readonly [from: number, to: number] } => {
  const formula = validate.integer("server.cores", cores, 1) * 2 + validate.integer("server.spindles", spindles, 0)
  return { formula, use: tables.USE_BY_CORES.get(cores) ?? [2 * formula, 2 * formula] }
}

/**
 * Connections that a load keeps busy. Little's law: `mean = rate * hold`, whatever the distribution of either. Calls that
 * come independently make the number at one moment Poisson, so `limit`, two standard deviations above the mean, is
 * enough for 95 % of the moments and more.
 *
 * `rate` is in calls a second. Throws a `RangeError` for one below 0, or a hold that is not a finite time.
 *
 * @since 0.1.0
 * @category formulas
 */
export const byLoad = (
  rate: number,
  hold: Duration.Input
): { readonly mean: number; readonly limit: number } => {
  const mean = atLeastZero("load.rate", rate) * validate.finiteMillis("load.hold", hold) / 1000
  return { mean, limit: Math.max(1, Math.ceil(mean + 2 * Math.sqrt(mean))) }
}

/**
 * The row of the guides' table for a rate of requests a second and a number of users: where they differ the larger one,
 * none where neither is known. A figure at the border of two rows belongs to the larger.
 *
 * @since 0.1.0
 * @category formulas
 */
export const scaleOf = (load: Pick<Load, "rate" | "users">): Scale | undefined => advice.scaleOf(load)?.scale

/**
 * Bytes that connections may take at the server: `connections * workMem * parallelWorkers`, all of them busy with a
 * statement that sorts. 100 with 4 MiB and 2 workers are 800 MiB.
 *
 * @since 0.1.0
 * @category formulas
 */
export const memory = (connections: number, workMem = 4 * advice.MIB, parallelWorkers = 2): number =>
  connections * workMem * parallelWorkers

/**
 * What is wrong with pools of `max` connections in so many processes at a server with room for `room`; `undefined`
 * when nothing is.
 *
 * @since 0.1.0
 * @category formulas
 */
export const overcommitted = (max: number, replicas: number, room: number): string | undefined => {
  const total = max * replicas
  if (total <= room) return undefined
  const sum = replicas === 1 ? `${max}` : `${max} in each of ${replicas} replicas, ${total} together`
  return `${sum}, and the server has room for ${room} connections of all its clients`
}

const atLeastZero = (option: string, value: number): number =>
  value >= 0 && value < Infinity ? value : validate.refuse(option, value, "a number of 0 or more")

const checkedCurrent = (pool: Current): advice.Known["pool"] => ({
  max: validate.integer("pool.max", pool.max, 1),
  idle: validate.integer("pool.idle", pool.idle ?? 0, 0),
  waiting: validate.integer("pool.waiting", pool.waiting ?? 0, 0),
  timedOut: validate.integer("pool.timedOut", pool.timedOut ?? 0, 0),
  slowHold: validate.finiteMillis("pool.slowHold", pool.slowHold ?? 0),
  slowDial: validate.finiteMillis("pool.slowDial", pool.slowDial ?? 0)
})

const checkedServer = (server: Server): advice.Known["server"] => {
  const { maxConnections = 100, memory: given } = server
  return {
    cores: server.cores,
    capacity: server.cores === undefined ? undefined : byCores(server.cores, server.spindles),
    maxConnections: validate.integer("server.maxConnections", maxConnections, 1),
    reserved: validate.integer("server.reserved", server.reserved ?? 3, 0, maxConnections - 1),
    available: given === undefined ? undefined : validate.integer("server.memory.available", given.available, 1),
    perConnection: memory(
      1,
      validate.integer("server.memory.workMem", given?.workMem ?? 4 * advice.MIB, 1),
      validate.integer("server.memory.parallelWorkers", given?.parallelWorkers ?? 2, 1)
    ),
    pooler: server.pooler ?? false
  }
}

const checked = ({ deployment = {}, load = {}, pool, server = {} }: Situation): advice.Known => {
  const { hold, rate, users } = load
  const replicas = validate.integer("deployment.replicas", deployment.replicas ?? 1, 1)
  const processes = replicas + validate.integer("deployment.surge", deployment.surge ?? 0, 0)
  const of = rate === undefined || hold === undefined ? undefined : { rate, hold }
  return {
    server: checkedServer(server),
    replicas,
    processes: processes * validate.integer("deployment.services", deployment.services ?? 1, 1),
    load: {
      rate: rate === undefined ? undefined : atLeastZero("load.rate", rate),
      users: users === undefined ? undefined : atLeastZero("load.users", users)
    },
    // Each replica is given its part of the load, and each part comes as it likes.
    need: of && { ...of, hold: Duration.fromInputUnsafe(of.hold), ...byLoad(of.rate / replicas, of.hold) },
    pool: pool && checkedCurrent(pool)
  }
}

/**
 * How many connections each process should have, and why; what stands in the way; and where the guides contradict
 * themselves. Advises to shrink as readily as to grow.
 *
 * Throws a `RangeError` that names the value for what cannot be.
 *
 * @since 0.1.0
 * @category advising
 * @example
 * ```ts
 * import { Sizing } from "@breakwater/core"
 *
 * const { limit, pooler, total } = Sizing.advise({
 *   server: { cores: 4, maxConnections: 100 },
 *   deployment: { replicas: 3 },
 *   load: { rate: 300, hold: "40 millis" }
 * })
 * console.log(limit, total, pooler) // => 8 24 required
 * ```
 */
export const advise = (situation: Situation): Advice => advice.advise(checked(situation))

/**
 * Times of a pool over some window, in milliseconds, as `/stats` has them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Timing {
  readonly count: number
  readonly mean: number
  readonly p95: number
}

/**
 * What a pool was seen to do within `window`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Observed {
  readonly window: Duration.Input
  readonly use: Timing | null
  readonly create?: Timing | null | undefined
  /** Borrows that timed out within the window. Default: those since the pool was made. */
  readonly timedOut?: number | undefined
}

/** Fewer say nothing: a quiet minute is no reason to take connections away. */
const ENOUGH = 100

/**
 * Advice from the numbers of a running pool: its rate and its mean hold of the last window, by Little's law. With fewer
 * than 100 borrows in it nothing is advised but what the deployment says. A window that is not the busiest hour says
 * little of the busiest hour.
 *
 * @since 0.1.0
 * @category advising
 */
export const fromStats = (
  stats: Pick<Pool.Stats, "max" | "idle" | "waiting" | "timedOut">,
  observed: Observed,
  known: Pick<Situation, "server" | "deployment"> = {}
): Advice => {
  const { create, timedOut = stats.timedOut, use } = observed
  const seconds = validate.boundedMillis("window", observed.window) / 1000
  const replicas = known.deployment?.replicas ?? 1
  return advise({
    ...known,
    // The others are taken to be as busy as this one.
    load: use === null || use.count < ENOUGH
      ? undefined
      : { rate: use.count / seconds * replicas, hold: Duration.millis(use.mean) },
    pool: {
      max: stats.max,
      idle: stats.idle,
      waiting: stats.waiting,
      timedOut,
      slowHold: use === null ? undefined : Duration.millis(use.p95),
      slowDial: create === null || create === undefined ? undefined : Duration.millis(create.p95)
    }
  })
}
