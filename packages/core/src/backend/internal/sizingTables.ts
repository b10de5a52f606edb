/**
 * What the guides say of sizes, as they say it, and where they say two things.
 *
 * @internal
 */

/** From, and up to; `undefined`: without an end. */
export type Range = readonly [from: number, to: number | undefined]

export type Scale = "small" | "medium" | "large" | "enterprise"

export type PoolerVerdict = "optional" | "recommended" | "required"

export interface ScaleRow {
  /** Requests a second, the end excluded. */
  readonly rate: Range
  /** The end excluded. */
  readonly users: Range
  readonly replicas: Range
  /** Connections of each process. */
  readonly limit: Range
  /** Of all processes. */
  readonly total: Range
  readonly maxConnections: number
  readonly pooler: PoolerVerdict
}

export const SCALES: Readonly<Record<Scale, ScaleRow>> = {
  small: {
    rate: [0, 10],
    users: [0, 100],
    replicas: [1, 2],
    limit: [10, 10],
    total: [10, 20],
    maxConnections: 50,
    pooler: "optional"
  },
  medium: {
    rate: [10, 100],
    users: [100, 1000],
    replicas: [2, 4],
    limit: [20, 30],
    total: [40, 120],
    maxConnections: 150,
    pooler: "recommended"
  },
  large: {
    rate: [100, 500],
    users: [1000, 10_000],
    replicas: [4, 8],
    limit: [30, 50],
    total: [120, 400],
    maxConnections: 500,
    pooler: "required"
  },
  enterprise: {
    rate: [500, undefined],
    users: [10_000, undefined],
    replicas: [8, undefined],
    limit: [50, 100],
    total: [400, undefined],
    maxConnections: 1000,
    pooler: "required"
  }
}

export const SCALE_NAMES = ["small", "medium", "large", "enterprise"] as const satisfies ReadonlyArray<Scale>

/** What the guide says to use for these cores, beside its formula. */
export const USE_BY_CORES: ReadonlyMap<number, readonly [number, number]> = new Map([
  [2, [10, 10]],
  [4, [20, 20]],
  [8, [30, 50]]
])

/** Beyond this many connections in all the guide wants a pooler. */
export const POOLER_FROM = 50

/** What of the guide's own figures do not go together. */
export const CONTRADICTIONS = {
  cores:
    "for 4 cores the guide's formula gives 9, its table says to use 20, and its best practices say 10: the formula counts what one database server can do at once, so the table's figure is taken as the bound of all processes together",
  users: (byRate: Scale, byUsers: Scale) =>
    `the guide's table calls this rate ${byRate} and this many users ${byUsers}: the larger of the two is taken`,
  pooler: (scale: Scale, verdict: PoolerVerdict, total: number) =>
    `at ${scale} scale the guide's table calls a pooler ${verdict}, and its text wants one from more than ${POOLER_FROM} connections, here ${total}: the stricter of the two is taken`,
  server: (scale: Scale, total: number, most: number, cores: number) =>
    `at ${scale} scale the guide's table comes to ${total} connections in all, and its figures for ${cores} cores to ${most}: the server's cores are taken as the bound`
} as const
