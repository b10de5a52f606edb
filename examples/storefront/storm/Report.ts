/**
 * What the storm found, and whether that is good enough. `Report` is the whole of what `--report FILE` writes; with
 * `--no-policies` the report of the bare storm is in it as `withoutPolicies`.
 */
import type { LeftOut } from "./Faults.ts"
import type { Findings } from "./Ledger.ts"
import type { Tally } from "./Tally.ts"

/** How a stage went. */
export interface Row {
  readonly label: string
  readonly tally: Tally
  /** Milliseconds, or null where it did not; undefined where nothing was broken. */
  readonly recovered: number | null | undefined
}

/** Requests by how they ended, and the milliseconds from when one was due to its answer. */
export interface Requests {
  readonly requests: number
  readonly ok: number
  /** Those that failed, by `Tag.Reason` of the error, the most frequent first. */
  readonly failures: Readonly<Record<string, number>>
  readonly p50: number
  readonly p99: number
}

export interface Stage extends Requests {
  readonly stage: string
}

/** More than this to recover from a fault fails the run. */
export const RECOVERY_LIMIT_MILLIS = 5_000

export interface Report extends Requests {
  /** From the first request to the end of the storefront. */
  readonly seconds: number
  /** Of the failures, those without a type: answers that are no error of the shop, sockets that broke while it was not ending. */
  readonly untyped: number
  /** Orders that the client was told are placed. */
  readonly ordersAcknowledged: number
  /** Of these, those that are not in the database. */
  readonly ordersLost: number
  /** Orders placed more than once, and pieces of stock that do not match the orders. */
  readonly ordersDoubled: number
  /** Orders placed without a payment. */
  readonly ordersUnpaid: number
  /** Over the whole storm, by the name that the backend has in the shop. */
  readonly connectionsOpened: Readonly<Record<string, number>>
  /** How often its circuit opened, by the same names. */
  readonly breakerOpened: Readonly<Record<string, number>>
  /** Connections that the backends still have open after the storefront's end. */
  readonly socketsLeft: number
  /**
   * By fault, milliseconds from its end until twenty requests in a row show that it is over; null where they did not
   * while the storm waited. A fault is named `backend.what`: `postgres.kill cut blackhole exhausted`, `redis.cut kill`,
   * `http.slow half refused`, `mongodb.kill`, `websocket.vanished slow`; two at once are joined by `+`. Those of Postgres
   * are there also without the backend's name.
   */
  readonly recoveredWithinMs: Readonly<Record<string, number | null>>
  /** Faults that the storm could not make, by name, and why. */
  readonly leftOut: Readonly<Record<string, string>>
  /** What spoke MongoDB's protocol: a server, or a responder that shows the driver and not MongoDB. */
  readonly mongodb: "server" | "responder"
  /** One after the other. */
  readonly stages: ReadonlyArray<Stage>
}

const requestsOf = (tally: Tally): Requests => ({
  requests: tally.requests,
  ok: tally.ok,
  failures: Object.fromEntries([...tally.failures].toSorted(([, a], [, b]) => b - a)),
  p50: tally.percentile(0.5),
  p99: tally.percentile(0.99)
})

export const make = (parts: {
  readonly seconds: number
  readonly total: Tally
  readonly orders: Findings
  readonly connectionsOpened: Report["connectionsOpened"]
  readonly breakerOpened: Report["breakerOpened"]
  readonly socketsLeft: number
  readonly recoveredWithinMs: Report["recoveredWithinMs"]
  readonly leftOut: ReadonlyArray<LeftOut>
  readonly mongodb: Report["mongodb"]
  readonly rows: ReadonlyArray<Row>
}): Report => {
  const { orders, total } = parts
  return {
    seconds: Math.round(parts.seconds * 10) / 10,
    ...requestsOf(total),
    untyped: total.untyped,
    ordersAcknowledged: orders.acknowledged,
    ordersLost: orders.lost,
    ordersDoubled: orders.doubled,
    ordersUnpaid: orders.unpaid,
    connectionsOpened: parts.connectionsOpened,
    breakerOpened: parts.breakerOpened,
    socketsLeft: parts.socketsLeft,
    recoveredWithinMs: { ...plainlyNamed(parts.recoveredWithinMs), ...parts.recoveredWithinMs },
    leftOut: Object.fromEntries(parts.leftOut.map(({ name, why }) => [name, why])),
    mongodb: parts.mongodb,
    stages: parts.rows.map(({ label, tally }) => ({ stage: label, ...requestsOf(tally) }))
  }
}

const FIRST = "postgres."

/** As reports named faults when Postgres was the only backend. */
const plainlyNamed = (recovered: Report["recoveredWithinMs"]): Report["recoveredWithinMs"] =>
  Object.fromEntries(
    Object.entries(recovered).flatMap(([name, millis]) =>
      name.startsWith(FIRST) ? [[name.slice(FIRST.length), millis]] : []
    )
  )

/** Why the run failed; empty where it passed. */
export const faultsOf = (report: Report, exitCode: number): ReadonlyArray<string> => [
  ...(report.ok > 0 ? [] : ["no request succeeded"]),
  ...(report.untyped === 0 ? [] : [`${report.untyped} failures without a type`]),
  ...(report.ordersLost === 0 ? [] : [`${report.ordersLost} acknowledged orders are not in the database`]),
  ...(report.ordersDoubled === 0
    ? []
    : [`${report.ordersDoubled} orders placed twice, or pieces of stock that do not match them`]),
  ...(report.ordersUnpaid === 0 ? [] : [`${report.ordersUnpaid} orders placed without a payment`]),
  ...(report.socketsLeft === 0 ? [] : [`${report.socketsLeft} connections left at the backends after the end`]),
  ...Object.entries(report.recoveredWithinMs).flatMap(([name, millis]) =>
    !name.includes(".") || (millis !== null && millis <= RECOVERY_LIMIT_MILLIS)
      ? []
      : [`no recovery from "${name}" within ${RECOVERY_LIMIT_MILLIS / 1000} s`]
  ),
  ...(exitCode === 0 ? [] : [`the storefront ended with exit code ${exitCode}`])
]
