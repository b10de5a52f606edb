/**
 * Alert rules for Prometheus over what `/metrics` shows, one for each way in which pools fail. They are silent while all is
 * well, and each says what to look at first. As a file: `docs/deploy/prometheus/alerts.yml`.
 *
 * Connections are summed over all processes that Prometheus scrapes, which is what no process sees by itself.
 *
 * @since 0.1.0
 */
import { type MetricName, operation, peers, policy, pool } from "@breakwater/core/Metrics"
import * as Validate from "@breakwater/core/Validate"
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
  /** Share, from 0 to 1, of what a backend is asked for that may fail, and of the attempts that may time out. Default 0.05. */
  readonly failing?: number | undefined
}

const WHO = "{{ $labels." + label.pool + " }} on {{ $labels.instance }}"
const WHOSE = "{{ $labels." + label.backend + " }} on {{ $labels.instance }}"
const WHICH = "{{ $labels." + label.policy + " }} on {{ $labels.instance }}"

/** How many of a kind in five minutes are none to speak of, whatever share of all they are. */
const FEW = 5

const within5m = (of: "rate" | "increase", by: string, what: string): string =>
  `sum by (instance, ${by}) (${of}(${what}[5m]))`

/** Each backend has one of the two. */
const ofAnyKind = (expression: (metric: MetricName) => string): string =>
  `(${expression(operation.database)} or ${expression(operation.http)})`

/** Postgres also shows its statements by what they do, of a pool and of no backend. */
const OF_BACKEND = `${label.backend}!=""`

/** Operations a second. */
const asked = ofAnyKind((metric) => within5m("rate", label.backend, series(metric, { of: "count", where: OF_BACKEND })))

/** Those of them that took no longer than so many seconds. Prometheus keeps `le="1"` up to its version 2, and makes it `1.0` since 3. */
const askedWithin = (seconds: number): string =>
  ofAnyKind((metric) =>
    within5m(
      "rate",
      label.backend,
      series(metric, { of: "bucket", where: `${OF_BACKEND},le=~"${seconds}|${seconds}[.]0"` })
    )
  )

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

const isSlow = (slow: number): ReadonlyArray<Alert> => [
  {
    name: "BreakwaterSlowThoughIdle",
    severity: "warning",
    for: "5m",
    expr: `${ofAnyKind((metric) => quantile(0.95, metric, ["instance", label.backend], OF_BACKEND))} > ${slow}` +
      ` and on (instance, ${label.backend}) label_replace(min_over_time(${
        series(pool.idle)
      }[5m]) > 0, "${label.backend}", "$1", "${label.pool}", "(.*)")`,
    summary: `Operations of ${WHOSE} take {{ $value | humanizeDuration }} at p95 while connections are free`,
    cure:
      "No size of the pool cures that: slow statements, a missing index, one query for each row, a server with too much to do, the network."
  },
  {
    name: "BreakwaterSlowStatements",
    severity: "warning",
    for: "2m",
    expr: `(${asked} - ${askedWithin(1)}) / ${asked} > 0.01`,
    summary: `{{ $value | humanizePercentage }} of the operations of ${WHOSE} take longer than a second`,
    cure: "The log names slow statements. Give reports a pool of their own, and bound the others."
  }
]

const fails = (share: number): ReadonlyArray<Alert> => {
  const failures = series(operation.failures)
  const late = (of: "rate" | "increase") =>
    [policy.attemptTimeouts, policy.deadlinesExceeded].map((metric) => within5m(of, label.policy, series(metric)))
      .join(" + ")
  return [
    {
      name: "BreakwaterOperationsFail",
      severity: "critical",
      for: "1m",
      expr: `${within5m("rate", label.backend, failures)} / ${asked} > ${share}` +
        ` and ${within5m("increase", label.backend, failures)} > ${FEW}`,
      summary: `{{ $value | humanizePercentage }} of what ${WHOSE} is asked for fails`,
      cure:
        "The errors say how: refused, cut, answers of 5xx. Look at the backend, and at last_error in /stats; a client that asks for what is wrong fails as well."
    },
    {
      name: "BreakwaterAttemptsTimeOut",
      severity: "warning",
      for: "1m",
      expr: `(${late("rate")}) / ${within5m("rate", label.policy, series(policy.attempts))} > ${share}` +
        ` and (${late("increase")}) > ${FEW}`,
      summary: `{{ $value | humanizePercentage }} of the attempts at ${WHICH} get no answer in time`,
      cure:
        "The backend or the network is slow, or hangs. Look at its own times first; a longer policy.timeout is the cure only where the answers are worth the wait."
    }
  ]
}

/** For whatever reason. */
const lost = within5m("increase", label.pool, series({ ...peers.pingTimeout, labels: {} }))

const watchers: ReadonlyArray<Alert> = [
  {
    name: "BreakwaterPeersLost",
    severity: "warning",
    for: "1m",
    // Some of the peers always lose their network: it is when most go that way that something is wrong.
    expr: `${lost} > ${FEW} and ${lost} > 0.5 * ${within5m("increase", label.pool, series(pool.closed))}`,
    summary: `{{ $value | humanize }} peers of ${WHO} were given up in five minutes: they vanished, or did not read`,
    cure:
      "breakwater_pool_lost_total says which. Vanished: a proxy or a network between that drops what is idle; ping sooner. Not reading: send less, or smaller."
  }
]

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
    summary: `The circuit of ${WHICH} is open: nobody calls it`,
    cure:
      "It closes by itself once the backend answers. Look at the backend first; /pools shows what opened the circuit."
  }
]

const seconds = (option: string, value: number): number =>
  Number.isFinite(value) && value > 0 ? value : Validate.refuse(option, value, "a number of seconds above 0")

/**
 * The rules. Throws a `RangeError` for a bound that is not allowed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): ReadonlyArray<Alert> => {
  const { failing = 0.05, serverConnections = 97, slow = 0.5, waiting = 5 } = options
  return [
    ...waiters(Validate.integer("waiting", waiting, 0)),
    ...leaks,
    ...isSlow(seconds("slow", slow)),
    ...fails(Validate.share("failing", failing)),
    ...servers(Validate.integer("serverConnections", serverConnections, 1)),
    ...watchers
  ]
}

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
