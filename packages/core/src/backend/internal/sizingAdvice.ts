/**
 * From what is known to what to do: what the load wants, what the server allows, and what of both is worth a word.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type { Advice, Finding } from "../Sizing.ts"
import { CONTRADICTIONS, POOLER_FROM, type PoolerVerdict, type Scale, SCALE_NAMES, SCALES } from "./sizingTables.ts"

export const MIB = 1024 * 1024

/** A situation that was checked, its defaults filled in. Times in milliseconds. */
export interface Known {
  readonly server: {
    readonly cores: number | undefined
    readonly capacity: { readonly formula: number; readonly use: readonly [number, number] } | undefined
    readonly maxConnections: number
    readonly reserved: number
    readonly available: number | undefined
    readonly perConnection: number
    readonly pooler: boolean
  }
  readonly replicas: number
  readonly processes: number
  readonly load: { readonly rate: number | undefined; readonly users: number | undefined }
  /** Of one process. */
  readonly need: {
    readonly rate: number
    readonly hold: Duration.Duration
    readonly mean: number
    readonly limit: number
  } | undefined
  readonly pool: {
    readonly max: number
    readonly idle: number
    readonly waiting: number
    readonly timedOut: number
    readonly slowHold: number
    readonly slowDial: number
  } | undefined
}

const SOURCE = {
  little: "Little's law, with two standard deviations of a Poisson number",
  cores: "guide, sizing by cores",
  scale: "guide, table of scales",
  limit: "guide, pods and microservices; Postgres keeps some connections to superusers",
  memory: "guide, memory",
  pooler: "guide, PgBouncer",
  signs: "guide, when to grow and when to shrink",
  slow: "guide, signs and causes",
  present: "the present setting",
  none: "the default of the guides' URLs"
} as const

/** What says nothing about a process without a load, a server or a setting. */
const DEFAULT_LIMIT = 10

/** A hold at the 95th percentile that the guides call slow. */
const SLOW_HOLD = 1000
/** A dial at the 95th percentile that is a fifth of the default limit. */
const SLOW_DIAL = 1000

/** A pool that is twice what is needed has room for a bad day; one beyond costs the server for nothing. */
const AMPLE = 2

const isIn = (value: number, [from, to]: readonly [number, number | undefined]): boolean =>
  value >= from && (to === undefined || value < to)

export const scaleOf = (
  load: { readonly rate?: number | undefined; readonly users?: number | undefined }
): { readonly scale: Scale; readonly byRate: Scale; readonly byUsers: Scale } | undefined => {
  const by = (of: "rate" | "users") => SCALE_NAMES.find((name) => isIn(load[of] ?? Number.NaN, SCALES[name][of]))
  const byRate = by("rate")
  const byUsers = by("users")
  const either = byRate ?? byUsers
  if (either === undefined) return undefined
  const rank = (scale: Scale) => SCALE_NAMES.indexOf(scale)
  const [rate, users] = [byRate ?? either, byUsers ?? either]
  return { scale: rank(rate) >= rank(users) ? rate : users, byRate: rate, byUsers: users }
}

type Add = (kind: Finding["kind"], says: string, source: string) => void

/** Of one process, before anything stands in the way. */
interface Wanted {
  readonly limit: number
  /** What is beyond it costs the server for nothing. */
  readonly ample: number
  readonly measured: boolean
}

const wantedOf = (known: Known, scale: Scale | undefined, add: Add): Wanted => {
  const { need, pool, processes, replicas, server: { capacity, cores } } = known
  if (need !== undefined) {
    const { hold, limit, mean, rate } = need
    const share = replicas === 1 ? "" : ` over ${replicas} replicas`
    const says = `${round(rate)} a second${share}, each held for ${time(hold)}, keep ${
      round(mean)
    } connections of each busy in the mean: ${limit} are enough for 95 % of the moments`
    add("basis", says, SOURCE.little)
    return { limit, ample: AMPLE * limit, measured: true }
  }
  if (scale !== undefined) {
    const [from, to] = SCALES[scale].limit
    add("basis", `a service of ${scale} scale has ${from === to ? from : `${from} to ${to}`} a process`, SOURCE.scale)
    return { limit: from, ample: to ?? Infinity, measured: false }
  }
  if (pool !== undefined) {
    add("basis", `${pool.max} a process, as it is: nothing is known of the load`, SOURCE.present)
    return { limit: pool.max, ample: pool.max, measured: false }
  }
  if (capacity !== undefined) {
    const limit = Math.max(1, Math.floor(capacity.use[0] / processes))
    add("basis", `${cores} cores are kept busy by ${capacity.use[0]} connections: ${limit} a process`, SOURCE.cores)
    return { limit, ample: limit, measured: false }
  }
  add("basis", `${DEFAULT_LIMIT} a process: neither load nor server is known`, SOURCE.none)
  return { limit: DEFAULT_LIMIT, ample: DEFAULT_LIMIT, measured: false }
}

/** A bound of all processes together: what it is, and the word for those who are beyond it. */
interface Bound {
  readonly most: number
  readonly says: (sum: string, total: number) => string
  readonly source: string
}

const boundsOf = ({ server }: Known, measured: boolean): ReadonlyArray<Bound> => {
  const { available, capacity, cores, maxConnections, perConnection, pooler, reserved } = server
  // A pooler bounds what reaches the server by itself.
  if (pooler) return []
  const bounds: Array<Bound> = [{
    most: maxConnections - reserved,
    says: (sum) =>
      `${sum} connections, and the server takes ${maxConnections}, ${reserved} of them reserved; raising max_connections takes a restart, not a reload`,
    source: SOURCE.limit
  }]
  if (available !== undefined) {
    const mebibytes = (bytes: number) => `${Math.round(bytes / MIB)} MiB`
    bounds.push({
      most: Math.floor(available / perConnection),
      says: (sum, total) =>
        `${sum} connections may take ${mebibytes(total * perConnection)} of the server's ${mebibytes(available)}`,
      source: SOURCE.memory
    })
  }
  if (capacity !== undefined && !measured) {
    const { formula, use: [, most] } = capacity
    const says = (sum: string) => `${sum} connections, and ${cores} cores do ${formula} at once, ${most} at most`
    bounds.push({ most, says, source: SOURCE.cores })
  }
  return bounds
}

/** The most that a process may have, with a word on each bound that is exceeded by what is wanted or there. */
const capOf = (known: Known, wanted: Wanted, add: Add): number => {
  const { pool, processes } = known
  const each = Math.max(wanted.limit, pool?.max ?? 0)
  const total = each * processes
  const sum = processes === 1 ? `${each}` : `${each} x ${processes} processes = ${total}`
  const exceeded = boundsOf(known, wanted.measured).filter(({ most }) => total > most)
  for (const { says, source } of exceeded) add("limit", says(sum, total), source)
  return Math.min(...exceeded.map(({ most }) => Math.max(1, Math.floor(most / processes))))
}

/** What the guides' figures for cores say to what is wanted. */
const compareCores = ({ need, processes, server }: Known, wanted: Wanted, scale: Scale | undefined, add: Add): void => {
  const { capacity, cores, pooler } = server
  if (capacity === undefined || cores === undefined) return
  const [, most] = capacity.use
  if (cores === 4) add("contradiction", CONTRADICTIONS.cores, SOURCE.cores)
  const total = wanted.limit * processes
  if (scale !== undefined && !wanted.measured && !pooler && total > most) {
    add("contradiction", CONTRADICTIONS.server(scale, total, most, cores), SOURCE.cores)
  }
  const busy = (need?.mean ?? 0) * processes
  if (busy > most) {
    add(
      "elsewhere",
      `the load keeps ${
        round(busy)
      } connections busy, and ${cores} cores do ${most} at once: statements wait in the server whatever the pool's size`,
      SOURCE.cores
    )
  }
}

const VERDICTS = ["optional", "recommended", "required"] as const satisfies ReadonlyArray<PoolerVerdict>

const poolerOf = (total: number, scale: Scale | undefined, isThere: boolean, add: Add): PoolerVerdict => {
  const byText: PoolerVerdict = total > POOLER_FROM ? "recommended" : "optional"
  const byScale = scale === undefined ? byText : SCALES[scale].pooler
  if (scale !== undefined && (byScale === "optional") !== (byText === "optional")) {
    add("contradiction", CONTRADICTIONS.pooler(scale, byScale, total), SOURCE.pooler)
  }
  const verdict = VERDICTS[Math.max(VERDICTS.indexOf(byText), VERDICTS.indexOf(byScale))] ?? byText
  if (verdict !== "optional" && !isThere) {
    add(
      "setting",
      `a pooler in front of the server is ${verdict}: PgBouncer in transaction mode, 1000 clients, 25 connections`,
      SOURCE.pooler
    )
  }
  return verdict
}

/** The guides' figure for the scale where it is enough; else room for as many again, as with their five services of 20. */
const maxConnectionsOf = (known: Known, total: number, scale: Scale | undefined): number => {
  const { maxConnections, reserved } = known.server
  const byScale = scale === undefined ? maxConnections : SCALES[scale].maxConnections
  if (total + reserved <= byScale) return byScale
  return Math.ceil(Math.max(2 * total, total + reserved) / 50) * 50
}

/** What the pool's own numbers point at beside its size. */
const readSigns = (pool: NonNullable<Known["pool"]>, limit: number, measured: boolean, add: Add): void => {
  const { idle, max, slowDial, slowHold, timedOut, waiting } = pool
  if (slowDial > SLOW_DIAL) {
    const says = `opening a connection takes ${slowDial} ms at p95: the server is far, raise connect_timeout`
    add("setting", says, SOURCE.signs)
  }
  if (slowHold > SLOW_HOLD && idle > 0 && waiting === 0) {
    add(
      "elsewhere",
      `connections are held for ${slowHold} ms at p95 while ${idle} are idle: statements, server or network are slow, and no size cures that`,
      SOURCE.slow
    )
  }
  if (!measured && (timedOut > 0 || waiting > 0)) {
    const says =
      `${waiting} wait and ${timedOut} timed out, and too few came back to tell a size from: look at the oldest holder`
    add("elsewhere", says, SOURCE.slow)
  }
  if (measured && timedOut > 0 && limit <= max) {
    add(
      "setting",
      `${timedOut} borrows timed out though ${max} a process are enough in the mean: bursts, so raise pool_timeout; or a holder that never ends, so look at the oldest`,
      SOURCE.signs
    )
  }
}

const changeOf = (pool: Known["pool"], { ample, limit, measured }: Wanted, cap: number, add: Add): Advice["change"] => {
  if (pool === undefined) return "set"
  const { max, timedOut, waiting } = pool
  readSigns(pool, limit, measured, add)
  if (max > cap) {
    add("shrink", `the pool has ${max}, and ${cap} are what the server leaves to each process`, SOURCE.signs)
    return "shrink"
  }
  if (Math.min(limit, cap) > max) {
    const signs = waiting > 0 || timedOut > 0 ? `${waiting} wait and ${timedOut} timed out` : "nobody waits yet"
    add("grow", `the load needs ${limit} a process, the pool has ${max}; ${signs}`, SOURCE.signs)
    return "grow"
  }
  if (max <= ample || waiting > 0 || timedOut > 0) return "keep"
  add("shrink", `${limit} are enough, the pool has ${max}: each costs the server memory for nothing`, SOURCE.signs)
  return "shrink"
}

const round = (value: number): number => Number(value.toPrecision(3))

/** Of what was measured, no more than its first figures. */
const time = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  return millis < 1000 ? `${round(millis)}ms` : Duration.format(Duration.millis(Math.round(millis)))
}

export const advise = (known: Known): Advice => {
  const findings: Array<Finding> = []
  const add: Add = (kind, says, source) => findings.push({ kind, says, source })
  const { pool, processes, server } = known
  const scales = scaleOf(known.load)
  const scale = scales?.scale
  if (scales !== undefined && scales.byRate !== scales.byUsers) {
    add("contradiction", CONTRADICTIONS.users(scales.byRate, scales.byUsers), SOURCE.scale)
  }
  const wanted = wantedOf(known, scale, add)
  compareCores(known, wanted, scale, add)
  const cap = capOf(known, wanted, add)
  const change = changeOf(pool, wanted, cap, add)
  const limit = change === "keep" && pool !== undefined ? pool.max : Math.min(wanted.limit, cap)
  const total = limit * processes
  return {
    limit,
    change,
    processes,
    total,
    maxConnections: maxConnectionsOf(known, wanted.limit * processes, scale),
    memory: total * server.perConnection,
    pooler: poolerOf(total, scale, server.pooler, add),
    scale: scale ?? null,
    findings
  }
}
