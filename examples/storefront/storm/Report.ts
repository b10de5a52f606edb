/** What the storm found, and whether that is good enough. */
import type { Findings } from "./Ledger.ts"
import type { Tally } from "./Tally.ts"

/** More than this to recover from a fault fails the run. */
export const RECOVERY_LIMIT_MILLIS = 5_000

export interface Report {
  readonly seconds: number
  readonly requests: number
  readonly ok: number
  readonly failures: Readonly<Record<string, number>>
  readonly untyped: number
  readonly ordersAcknowledged: number
  readonly ordersLost: number
  readonly ordersDoubled: number
  readonly ordersUnpaid: number
  readonly p50: number
  readonly p99: number
  /** By backend. */
  readonly connectionsOpened: Readonly<Record<string, number>>
  readonly breakerOpened: Readonly<Record<string, number>>
  readonly socketsLeft: number
  /** Null where it did not recover while the storm waited for it. */
  readonly recoveredWithinMs: Readonly<Record<string, number | null>>
}

export const make = (parts: {
  readonly seconds: number
  readonly total: Tally
  readonly orders: Findings
  readonly connectionsOpened: Report["connectionsOpened"]
  readonly breakerOpened: Report["breakerOpened"]
  readonly socketsLeft: number
  readonly recoveredWithinMs: Report["recoveredWithinMs"]
}): Report => {
  const { orders, total } = parts
  const failures = [...total.failures].toSorted(([, a], [, b]) => b - a)
  return {
    seconds: Math.round(parts.seconds * 10) / 10,
    requests: total.requests,
    ok: total.ok,
    failures: Object.fromEntries(failures),
    untyped: total.untyped,
    ordersAcknowledged: orders.acknowledged,
    ordersLost: orders.lost,
    ordersDoubled: orders.doubled,
    ordersUnpaid: orders.unpaid,
    p50: total.percentile(0.5),
    p99: total.percentile(0.99),
    connectionsOpened: parts.connectionsOpened,
    breakerOpened: parts.breakerOpened,
    socketsLeft: parts.socketsLeft,
    recoveredWithinMs: parts.recoveredWithinMs
  }
}

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
    millis !== null && millis <= RECOVERY_LIMIT_MILLIS
      ? []
      : [`no recovery from "${name}" within ${RECOVERY_LIMIT_MILLIS / 1000} s`]
  ),
  ...(exitCode === 0 ? [] : [`the storefront ended with exit code ${exitCode}`])
]
