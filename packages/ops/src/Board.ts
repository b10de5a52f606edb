/**
 * A board for Grafana over what `/metrics` shows: pools, what backends take for their answers, and policies. As a file to
 * import: `docs/deploy/grafana/breakwater.json`.
 *
 * @since 0.1.0
 */
import { type MetricName, operation, peers, policy, pool } from "@breakwater/core/Metrics"
import { label, quantile, series, stateOf } from "./internal/promql.ts"

/**
 * A line, or a group of lines, of a panel.
 *
 * @since 0.1.0
 * @category models
 */
export interface Target {
  readonly expr: string
  readonly legend: string
}

/**
 * A panel: what it shows, in Grafana's unit, and what it is good for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Panel {
  readonly title: string
  readonly about: string
  readonly unit: "short" | "s" | "ops" | "percentunit"
  readonly targets: ReadonlyArray<Target>
  readonly stacked?: boolean | undefined
}

/**
 * A row of the board.
 *
 * @since 0.1.0
 * @category models
 */
export interface Row {
  readonly title: string
  readonly panels: ReadonlyArray<Panel>
}

const RATE = "[$__rate_interval]"

/** The variables of the board: pool, and process. Backends and policies have the names of their pools. */
const where = (of: string) => `${of}=~"$pool",instance=~"$instance"`
const ofPool = where(label.pool)
const ofPolicy = where(label.policy)
const ofBackend = where(label.backend)

const sum = (by: string, metric: MetricName, among: string, more?: "count"): string =>
  `sum by (${by}) (${series(metric, { where: among, of: more })})`
const rate = (by: string, metric: MetricName, among: string, more?: "count" | "sum"): string =>
  `sum by (${by}) (rate(${series(metric, { where: among, of: more })}${RATE}))`

/** All series of a name, whatever tells them apart. */
const every = (metric: MetricName): MetricName => ({ ...metric, labels: {} })

const quantiles = (metric: MetricName, by: string, among: string): ReadonlyArray<Target> =>
  [0.5, 0.95, 0.99].map((share) => ({
    expr: quantile(share, metric, [by], among),
    legend: `{{${by}}} p${share * 100}`
  }))

const pools: ReadonlyArray<Panel> = [
  {
    title: "Connections",
    about: "Of all processes. Used at the height of max, with callers waiting, is a pool that has run dry.",
    unit: "short",
    stacked: true,
    targets: [{
      expr: sum(`${label.pool}, ${stateOf(pool.used)}`, every(pool.used), ofPool),
      legend: `{{${label.pool}}} {{${stateOf(pool.used)}}}`
    }]
  },
  {
    title: "Used, of what there may be",
    about: "Above 80 % for long: look at the holders, then grow. Below 20 % at the busiest hour: shrink.",
    unit: "percentunit",
    targets: [{
      expr: `${sum(label.pool, pool.used, ofPool)} / ${sum(label.pool, pool.max, ofPool)}`,
      legend: `{{${label.pool}}}`
    }]
  },
  {
    title: "Callers that wait",
    about: "More than five for a minute raise an alarm.",
    unit: "short",
    targets: [{ expr: sum(label.pool, pool.waiting, ofPool), legend: `{{${label.pool}}}` }]
  },
  {
    title: "Wait for a connection",
    about: "A noticeable part of a request: the pool is too small, or somebody holds on.",
    unit: "s",
    targets: quantiles(pool.wait, label.pool, ofPool)
  },
  {
    title: "Hold of a connection",
    about: "Times the borrows a second, this is how many connections are busy in the mean.",
    unit: "s",
    targets: quantiles(pool.use, label.pool, ofPool)
  },
  {
    title: "Held, with nothing to do",
    about:
      "Share of the hold in which nothing ran on the connection. High: a leak, or other work inside a transaction.",
    unit: "percentunit",
    targets: [{
      expr: `${rate(label.pool, pool.heldIdle, ofPool, "sum")} / ${rate(label.pool, pool.use, ofPool, "sum")}`,
      legend: `{{${label.pool}}}`
    }]
  },
  {
    title: "Opening a connection",
    about: "Slow: the server is far, or has too much to do.",
    unit: "s",
    targets: quantiles(pool.create, label.pool, ofPool)
  },
  {
    title: "Borrows that were not served",
    about: "Timed out: no connection in time. Unavailable: no server. Refused and shed: too many callers.",
    unit: "ops",
    targets: [{
      expr: rate(
        `${label.pool}, ${stateOf(pool.acquired)}`,
        every(pool.acquired),
        `${stateOf(pool.acquired)}!="acquired",${ofPool}`
      ),
      legend: `{{${label.pool}}} {{${stateOf(pool.acquired)}}}`
    }]
  },
  {
    title: "Reuse",
    about: "Share of the borrows that got a connection used before. Low: lifetimes are too short, or checks fail.",
    unit: "percentunit",
    targets: [{
      expr: `${rate(label.pool, pool.reused, ofPool)} / ${rate(label.pool, pool.acquired, ofPool)}`,
      legend: `{{${label.pool}}}`
    }]
  },
  {
    title: "Peers that were given up",
    about: "Of websockets: those that vanished, and those that did not read what they were sent.",
    unit: "ops",
    targets: [{
      expr: rate(`${label.pool}, ${stateOf(peers.slowReader)}`, every(peers.slowReader), ofPool),
      legend: `{{${label.pool}}} {{${stateOf(peers.slowReader)}}}`
    }]
  }
]

const answers: ReadonlyArray<Panel> = [
  {
    title: "Operations",
    about: "What the backends were asked for.",
    unit: "ops",
    targets: [operation.database, operation.http].map((metric) => ({
      expr: rate(label.backend, metric, ofBackend, "count"),
      legend: `{{${label.backend}}}`
    }))
  },
  {
    title: "Time of an operation",
    about: "Slow while connections are idle: the cure is not a larger pool.",
    unit: "s",
    targets: [operation.database, operation.http].flatMap((metric) => quantiles(metric, label.backend, ofBackend))
  },
  {
    title: "Operations that failed",
    about: "For whatever reason.",
    unit: "ops",
    targets: [{ expr: rate(label.backend, operation.failures, ofBackend), legend: `{{${label.backend}}}` }]
  }
]

const policies: ReadonlyArray<Panel> = [
  {
    title: "Open circuits",
    about: "1 while nobody may call.",
    unit: "short",
    targets: [{
      expr: `max by (${label.policy}, instance) (${series(policy.circuitOpen, { where: ofPolicy })})`,
      legend: `{{${label.policy}}} {{instance}}`
    }]
  },
  {
    title: "Attempts for each call",
    about: "1 while nothing is repeated. Above 1.2 for long: retries make it worse.",
    unit: "short",
    targets: [{
      expr: `${rate(label.policy, policy.attempts, ofPolicy)} / ${rate(label.policy, policy.calls, ofPolicy)}`,
      legend: `{{${label.policy}}}`
    }]
  },
  {
    title: "Calls that the policy ended",
    about: "By the reason of the PolicyError.",
    unit: "ops",
    targets: [{
      expr: rate(`${label.policy}, ${stateOf(policy.circuitRejected)}`, every(policy.circuitRejected), ofPolicy),
      legend: `{{${label.policy}}} {{${stateOf(policy.circuitRejected)}}}`
    }]
  },
  {
    title: "Calls at once, and their limit",
    about: "Of bulkheads and adaptive limits.",
    unit: "short",
    targets: [
      {
        expr: sum(`${label.policy}, ${stateOf(policy.limitRunning)}`, every(policy.limitRunning), ofPolicy),
        legend: `{{${label.policy}}} {{${stateOf(policy.limitRunning)}}}`
      },
      { expr: sum(label.policy, policy.limitMax, ofPolicy), legend: `{{${label.policy}}} limit` }
    ]
  }
]

/**
 * The rows of the board.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): ReadonlyArray<Row> => [
  { title: "Pools", panels: pools },
  { title: "Backends", panels: answers },
  { title: "Policies", panels: policies }
]

/**
 * All queries of a board.
 *
 * @since 0.1.0
 * @category reading
 */
export const expressions = (rows: ReadonlyArray<Row>): ReadonlyArray<string> =>
  rows.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)))

const COLUMNS = 24
const [WIDTH, HEIGHT] = [8, 8]

const datasource = { type: "prometheus", uid: "${datasource}" } as const

const panelOf = (panel: Panel, id: number, x: number, y: number) => ({
  id,
  type: "timeseries",
  title: panel.title,
  description: panel.about,
  datasource,
  gridPos: { x, y, w: WIDTH, h: HEIGHT },
  fieldConfig: {
    defaults: {
      unit: panel.unit,
      min: 0,
      custom: {
        fillOpacity: panel.stacked ? 40 : 0,
        stacking: { mode: panel.stacked ? "normal" : "none" }
      }
    },
    overrides: []
  },
  options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
  targets: panel.targets.map(({ expr, legend }, index) => ({
    datasource,
    expr,
    legendFormat: legend,
    refId: String.fromCharCode(65 + index)
  }))
})

const layOut = (rows: ReadonlyArray<Row>): ReadonlyArray<object> => {
  const laid: Array<object> = []
  let y = 0
  for (const { panels, title } of rows) {
    laid.push({
      id: laid.length + 1,
      type: "row",
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: COLUMNS, h: 1 }
    })
    for (const [index, panel] of panels.entries()) {
      const x = index * WIDTH % COLUMNS
      if (index > 0 && x === 0) y += HEIGHT
      laid.push(panelOf(panel, laid.length + 1, x, y))
    }
    y += HEIGHT
  }
  return laid
}

const variable = (name: string, of: string) => ({
  name,
  label: name,
  type: "query",
  datasource,
  query: `label_values(${series(pool.max)}, ${of})`,
  refresh: 2,
  multi: true,
  includeAll: true,
  allValue: ".*",
  current: { text: "All", value: "$__all" }
})

/**
 * The board as a file for Grafana 10 and newer. It asks for the data source when it is imported by hand.
 *
 * @since 0.1.0
 * @category formatting
 */
export const toJson = (rows: ReadonlyArray<Row>): string => {
  const board = {
    uid: "breakwater",
    title: "Breakwater",
    description: "Pools, backends and policies",
    tags: ["breakwater"],
    schemaVersion: 39,
    editable: true,
    refresh: "10s",
    time: { from: "now-30m", to: "now" },
    templating: {
      list: [
        { name: "datasource", label: "data source", type: "datasource", query: "prometheus" },
        variable("pool", label.pool),
        variable("instance", "instance")
      ]
    },
    panels: layOut(rows)
  }
  return `${JSON.stringify(board, undefined, 2)}\n`
}
