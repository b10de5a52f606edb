/**
 * Alert rules for Prometheus over what `/metrics` shows, one for each way in which pools fail. They are silent while all is
 * well, and each says what to look at first. As a file: `docs/deploy/prometheus/alerts.yml`.
 *
 * Connections are summed over all processes that Prometheus scrapes, which is what no process sees by itself.
 *
 * @since 0.1.0
 */
import { operation, policy, pool } from "@breakwater/core/Metrics"
import { label, quantile, series, stateOf } from "./internal/promql.ts"

/**
 * A rule: `expr` has to hold for `for` before it fires.
 *
 * @since 0.1.0
 * @category models
 */
export interface Alert {
  readonly name: string
  readonly severity: "warning" | "critical"
  readonly for: string
  readonly expr: string
  /** One line; Prometheus fills in `{{ $labels… }}` and `{{ $value }}`. */
  readonly summary: string
  /** What to do, the first thing first. */
  readonly cure: string
}

/**
 * Where the bounds are.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Connections that the Postgres server leaves to services. Default 97: `max_connections` of 100, less 3 reserved. */
  readonly serverConnections?: number | undefined
  /** Callers that may wait for a connection. Default 5, as in the guides. */
  readonly waiting?: number | undefined
  /** Seconds at the 95th percentile that are slow while connections are free. Default 0.5. */
  readonly slow?: number | undefined
}

const WHO = "{{ $labels." + label.pool + " }} on {{ $labels.instance }}"
const WHOSE = "{{ $labels." + label.backend + " }} on {{ $labels.instance }}"

/** Only pools of Postgres: those of others lead to servers with limits of their own. */
const ofPostgres = (expression: string): string => {
  const backends = series(operation.database, { of: "count", is: { [label.system]: "postgresql" } })
  const sameName = `label_replace(${backends}, "${label.pool}", "$1", "${label.backend}", "(.*)")`
  return `(${expression} and on (instance, ${label.pool}) ${sameName})`
}

const waiters = (most: number): ReadonlyArray<Alert> => [
  {
    name: "BreakwaterCallersWait",
    severity: "warning",
    for: "1m",
    expr: `${series(pool.waiting)} > ${most}`,
    summary: `{{ $value }} callers wait for a connection of ${WHO}`,
    cure:
      "Look at the oldest holder in /stats: a slow statement or a leak. A larger pool is the cure only where holders are quick and the server has room."
  },
  {
    name: "BreakwaterWaitTimeouts",
    severity: "critical",
    for: "1m",
    expr: `60 * rate(${series(pool.timeouts)}[2m]) > 1`,
    summary: `{{ $value | humanize }} callers a minute get no connection of ${WHO} in time`,
    cure: "As BreakwaterCallersWait. Bound statements to 30 s, then grow the pool; a longer wait comes last."
  }
]

const leaks: ReadonlyArray<Alert> = [
  {
    name: "BreakwaterUsedNeverFalls",
    severity: "warning",
    for: "5m",
    // The least of now is more than the most of half an hour ago, and nobody asks more often than then.
    expr: `min_over_time(${series(pool.used)}[10m]) > max_over_time(${series(pool.used)}[10m] offset 30m)` +
      ` and on (instance, ${label.pool}) rate(${series(pool.acquired)}[10m]) < 1.2 * rate(${
        series(pool.acquired)
      }[10m] offset 30m)`,
    summary: `Connections of ${WHO} are taken and not given back: {{ $value }} are in use, at the same load as before`,
    cure: "Set leak.after, and read the leak report: it names who borrowed. Borrow with Pool.use, which gives back."
  },
  {
    name: "BreakwaterLeak",
    severity: "critical",
    for: "5m",
    expr: `${series(pool.used)} >= ignoring (${stateOf(pool.used)}) ${series(pool.max)}` +
      ` and on (instance, ${label.pool}) increase(${series(pool.use, { of: "count" })}[5m]) == 0`,
    summary: `All {{ $value }} connections of ${WHO} are lent, and none has come back for five minutes`,
    cure: "The oldest holder in /stats is where they went. wait.maxHold takes them back; a restart does so once."
  }
]

const isSlow = (slow: number): ReadonlyArray<Alert> => {
  const of = (bucket?: string) =>
    `sum by (instance, ${label.backend}) (rate(${
      series(operation.database, bucket === undefined ? { of: "count" } : { of: "bucket", is: { le: bucket } })
    }[5m]))`
  return [
    {
      name: "BreakwaterSlowThoughIdle",
      severity: "warning",
      for: "5m",
      expr: `${quantile(0.95, operation.database, ["instance", label.backend])} > ${slow}` +
        ` and on (instance, ${label.backend}) label_replace(min_over_time(${
          series(pool.idle)
        }[5m]) > 0, "${label.backend}", "$1", "${label.pool}", "(.*)")`,
      summary: `Statements of ${WHOSE} take {{ $value | humanizeDuration }} at p95 while connections are free`,
      cure:
        "No size of the pool cures that: slow statements, a missing index, one query for each row, a server with too much to do, the network."
    },
    {
      name: "BreakwaterSlowStatements",
      severity: "warning",
      for: "2m",
      expr: `(${of()} - ${of("1")}) / ${of()} > 0.01`,
      summary: `{{ $value | humanizePercentage }} of the statements of ${WHOSE} take longer than a second`,
      cure: "The log names slow statements. Give reports a pool of their own, and bound the others."
    }
  ]
}

const servers = (room: number): ReadonlyArray<Alert> => [
  {
    name: "BreakwaterConnectionErrors",
    severity: "critical",
    for: "1m",
    expr: `increase(${series(pool.unavailable)}[2m]) > 0`,
    summary: `The server of ${WHO} cannot be reached`,
    cure: "The error of the pool has the last failure to connect: server down, out of connections, or the network."
  },
  {
    name: "BreakwaterTooManyClients",
    severity: "critical",
    for: "1m",
    expr: `sum(${ofPostgres(`sum by (instance, ${label.pool}) (${series({ ...pool.used, labels: {} })})`)}) > ${
      Math.floor(room * 0.9)
    }`,
    summary: `{{ $value }} connections are open at a server that has room for ${room}`,
    cure:
      "Close those that idle: lower size.max or size.keep, or put a pooler in front. Raising max_connections takes a restart."
  },
  {
    name: "BreakwaterPoolsExceedServer",
    severity: "warning",
    for: "5m",
    expr: `sum(${ofPostgres(series(pool.max))}) > ${room}`,
    summary: `All replicas together may open {{ $value }} connections, and the server has room for ${room}`,
    cure:
      "size.max times replicas has to stay below it. Lower size.max, or put a pooler in front: Sizing.advise says what fits."
  },
  {
    name: "BreakwaterCircuitOpen",
    severity: "critical",
    for: "30s",
    expr: `${series(policy.circuitOpen)} == 1`,
    summary: `The circuit of {{ $labels.${label.policy} }} on {{ $labels.instance }} is open: nobody calls it`,
    cure:
      "It closes by itself once the backend answers. Look at the backend first; /pools shows what opened the circuit."
  }
]

/**
 * The rules.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ serverConnections = 97, slow = 0.5, waiting = 5 }: Options = {}): ReadonlyArray<Alert> => [
  ...waiters(waiting),
  ...leaks,
  ...isSlow(slow),
  ...servers(serverConnections)
]

/**
 * The rules as a file for Prometheus.
 *
 * @since 0.1.0
 * @category formatting
 */
export const toYaml = (alerts: ReadonlyArray<Alert>): string => {
  // A text of JSON is one of YAML.
  const text = (value: string) => JSON.stringify(value)
  const rules = alerts.map((alert) =>
    [
      `      - alert: ${alert.name}`,
      `        expr: ${text(alert.expr)}`,
      `        for: ${alert.for}`,
      `        labels:`,
      `          severity: ${alert.severity}`,
      `        annotations:`,
      `          summary: ${text(alert.summary)}`,
      `          description: ${text(alert.cure)}`
    ].join("\n")
  )
  return `groups:\n  - name: breakwater\n    rules:\n${rules.join("\n")}\n`
}
