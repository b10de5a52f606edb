/**
 * The alert rules, run by Prometheus's own tool: each fires in the fault that it is for, and in none of the others that it
 * is not for, and all are silent while all is well.
 */
import { Backends } from "@breakwater/core"
import { type MetricName, operation, policy, pool } from "@breakwater/core/Metrics"
import { Postgres } from "@breakwater/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Alerts from "../src/Alerts.ts"
import * as Board from "../src/Board.ts"
import { format } from "../src/internal/prometheus.ts"
import { label, series } from "../src/internal/promql.ts"

const STEP_SECONDS = 30
const MINUTES = 96
const FAULT_FROM = 60
const BUCKETS = [0.001, 0.01, 0.1, 0.5, 1, 2, 5, "+Inf"] as const

/** What a process shows at a moment: `n` counts the samples, `minutes` the time. */
interface Moment {
  readonly n: number
  readonly minutes: number
}

interface Process {
  readonly used: number
  readonly idle: number
  readonly max: number
  readonly waiting: number
  readonly timeouts: number
  readonly unavailable: number
  readonly acquired: number
  readonly returned: number
  readonly circuitOpen: number
  /** Share of the statements that took no longer than each of the buckets says. */
  readonly within: ReadonlyArray<number>
}

/** A hundred borrows a second, from three to five at once; now and then somebody waits. */
const steady = ({ n }: Moment): Process => ({
  used: 3 + n % 3,
  idle: 7 - n % 3,
  max: 20,
  waiting: n % 7 === 0 ? 3 : 0,
  // One early on, as a restart of the server leaves.
  timeouts: n > 10 ? 1 : 0,
  unavailable: n > 10 ? 2 : 0,
  acquired: 3000 * n,
  returned: 3000 * n,
  circuitOpen: 0,
  within: [0.2, 0.95, 0.995, 0.999, 0.9995, 1, 1, 1]
})

interface Fault {
  readonly name: string
  readonly shows: (moment: Moment) => Partial<Process>
  /** How many times each fires, over two processes. */
  readonly fires: Readonly<Record<string, number>>
}

const since = ({ minutes }: Moment): number => minutes - FAULT_FROM

const faults: ReadonlyArray<Fault> = [
  { name: "callers wait", shows: () => ({ waiting: 6 }), fires: { BreakwaterCallersWait: 2 } },
  {
    name: "waits time out",
    shows: (at) => ({ timeouts: 1 + 3 * since(at) }),
    fires: { BreakwaterWaitTimeouts: 2 }
  },
  {
    name: "one in a thousand borrows is not given back",
    shows: (at) => ({ used: Math.min(20, 5 + Math.floor(since(at) / 3)) }),
    fires: { BreakwaterUsedNeverFalls: 2 }
  },
  {
    name: "all are lent and none comes back",
    shows: () => ({ used: 20, idle: 0, acquired: 3000 * FAULT_FROM * 2, returned: 3000 * FAULT_FROM * 2 }),
    fires: { BreakwaterLeak: 2 }
  },
  {
    name: "statements are slow though connections are free",
    shows: () => ({ within: [0.1, 0.3, 0.5, 0.7, 0.995, 1, 1, 1] }),
    fires: { BreakwaterSlowThoughIdle: 2 }
  },
  {
    name: "three in a hundred statements take longer than a second",
    shows: () => ({ within: [0.1, 0.9, 0.96, 0.965, 0.97, 0.99, 1, 1] }),
    fires: { BreakwaterSlowStatements: 2 }
  },
  {
    name: "the server cannot be reached",
    shows: ({ n }) => ({ unavailable: 50 * n }),
    fires: { BreakwaterConnectionErrors: 2 }
  },
  {
    name: "the server has few connections left",
    shows: () => ({ idle: 41, max: 48 }),
    fires: { BreakwaterTooManyClients: 1 }
  },
  { name: "the pools may exceed the server", shows: () => ({ max: 49 }), fires: { BreakwaterPoolsExceedServer: 1 } },
  { name: "a circuit is open", shows: () => ({ circuitOpen: 1 }), fires: { BreakwaterCircuitOpen: 2 } }
]

type Shown = readonly [series: string, read: (process: Process, moment: Moment) => number]

const shownBy = (instance: string): ReadonlyArray<Shown> => {
  const of = (metric: MetricName, read: Shown[1], what?: "count"): Shown => [
    series(metric, { of: what, is: { instance, [label.pool]: "orders" } }),
    read
  ]
  const statements = { instance, [label.backend]: "orders", [label.system]: "postgresql" }
  return [
    of(pool.used, ({ used }) => used),
    of(pool.idle, ({ idle }) => idle),
    ...[pool.opening, pool.checking, pool.closing].map((metric) => of(metric, () => 0)),
    of(pool.max, ({ max }) => max),
    of(pool.waiting, ({ waiting }) => waiting),
    of(pool.timeouts, ({ timeouts }) => timeouts),
    of(pool.unavailable, ({ unavailable }) => unavailable),
    of(pool.acquired, ({ acquired }) => acquired),
    of(pool.use, ({ returned }) => returned, "count"),
    [
      series(policy.circuitOpen, { is: { instance, [label.policy]: "orders" } }),
      ({ circuitOpen }) => circuitOpen
    ],
    [series(operation.database, { of: "count", is: statements }), (_, { n }) => 6000 * n],
    ...BUCKETS.map((le, index): Shown => [
      series(operation.database, { of: "bucket", is: { ...statements, le: String(le) } }),
      // Counted on from where the fault began, since a counter never falls.
      ({ within }, { n, minutes }) => {
        const before = Math.min(n, FAULT_FROM * 60 / STEP_SECONDS)
        const calm = steady({ n, minutes }).within[index] ?? 1
        return Math.round(6000 * (calm * before + (within[index] ?? 1) * (n - before)))
      }
    ])
  ]
}

const moments: ReadonlyArray<Moment> = Array.from(
  { length: MINUTES * 60 / STEP_SECONDS + 1 },
  (_, n) => ({ n, minutes: n * STEP_SECONDS / 60 })
)

const inputOf = (shows: Fault["shows"]) =>
  ["a", "b"].flatMap((instance) =>
    shownBy(instance).map(([name, read]) => ({
      series: name,
      values: moments.map((at) => read({ ...steady(at), ...(at.minutes > FAULT_FROM ? shows(at) : {}) }, at)).join(" ")
    }))
  )

const firingAt = (minutes: number, fires: Fault["fires"]) => ({
  expr: "count by (alertname) (ALERTS{alertstate=\"firing\"})",
  eval_time: `${minutes}m`,
  exp_samples: Object.entries(fires).map(([alertname, value]) => ({ labels: `{alertname="${alertname}"}`, value }))
})

/** One test of the tool for each fault: quiet until it begins, and then these and no others. */
const ruleTests = {
  rule_files: ["alerts.yml"],
  evaluation_interval: "30s",
  tests: [
    {
      name: "steady",
      interval: `${STEP_SECONDS}s`,
      input_series: inputOf(() => ({})),
      promql_expr_test: [2, 15, 45, 60, 75, 95].map((minutes) => firingAt(minutes, {}))
    },
    ...faults.map(({ fires, name, shows }) => ({
      name,
      interval: `${STEP_SECONDS}s`,
      input_series: inputOf(shows),
      promql_expr_test: [firingAt(FAULT_FROM, {}), firingAt(95, fires)]
    }))
  ]
}

const promtool = (...args: ReadonlyArray<string>) => {
  const { error, status, stderr, stdout } = spawnSync("promtool", args, { encoding: "utf8", timeout: 60_000 })
  return error === undefined ? { status, output: `${stdout}${stderr}` } : undefined
}

const isThere = promtool("--version") !== undefined
if (!isThere) console.log("[skipped] the alert rules in Prometheus: there is no promtool here")

const inFolder = (use: (folder: string) => void) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "breakwater-alerts-"))
  try {
    fs.writeFileSync(path.join(folder, "alerts.yml"), Alerts.toYaml(Alerts.make()))
    use(folder)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

describe("The alert rules", () => {
  it("are one for each fault, and no fault is without one", () => {
    const firing = new Set(faults.flatMap(({ fires }) => Object.keys(fires)))
    assert.deepStrictEqual([...firing].toSorted(), Alerts.make().map(({ name }) => name).toSorted())
  })

  it("take other bounds", () => {
    const text = Alerts.toYaml(Alerts.make({ serverConnections: 197, waiting: 9, slow: 2 }))
    for (const part of ["> 197", "> 177", "> 9\"", "> 2 and"]) assert.include(text, part)
  })

  it.runIf(isThere)("are valid", () =>
    inFolder((folder) => {
      const checked = promtool("check", "rules", path.join(folder, "alerts.yml"))
      assert.strictEqual(checked?.status, 0, checked?.output)
      assert.include(checked?.output, `${Alerts.make().length} rules found`)
    }))

  it.runIf(isThere)("and the board are queries that Prometheus understands", () =>
    inFolder((folder) => {
      const filled = Board.expressions(Board.make()).map((expr) =>
        expr.replaceAll("$__rate_interval", "1m").replaceAll(/\$(?:pool|instance)/g, ".*")
      )
      const rules = filled.map((expr, index) => ({ record: `board:${index}`, expr }))
      const file = path.join(folder, "board.yml")
      fs.writeFileSync(file, JSON.stringify({ groups: [{ name: "board", rules }] }))
      const checked = promtool("check", "rules", file)
      assert.strictEqual(checked?.status, 0, checked?.output)
      assert.include(checked?.output, `${rules.length} rules found`)
    }))

  it.runIf(isThere)(
    "fire in their fault and in no other, and are silent while all is well",
    { timeout: 60_000 },
    () =>
      inFolder((folder) => {
        const file = path.join(folder, "test.yml")
        fs.writeFileSync(file, JSON.stringify(ruleTests))
        const tested = promtool("test", "rules", file)
        assert.strictEqual(tested?.status, 0, tested?.output)
      })
  )
})

/** What is followed by a brace is a series; what is not may be a label that series are grouped by. */
const seriesIn = (expression: string, labels: ReadonlySet<string>): ReadonlyArray<string> =>
  [...expression.matchAll(/\b((?:db_client|http_client|breakwater)_[a-z_]+)(\{?)/g)].flatMap(([, name = "", brace]) =>
    brace === "" && labels.has(name) ? [] : [name]
  )

describe("What alerts and board look at", () => {
  it.live("is what /metrics shows, with the labels that they tell it apart by", () =>
    Effect.gen(function*() {
      yield* Layer.build(Postgres.layer({
        name: "orders",
        url: Redacted.make("postgres://127.0.0.1:1/shop"),
        pool: { start: "lazy" },
        policy: { breaker: {} }
      }))
      const shown = yield* format
      const expressions = [...Alerts.make().map(({ expr }) => expr), ...Board.expressions(Board.make())]
      const labels = new Set([...shown.matchAll(/(\w+)="/g)].map(([, name = ""]) => name))
      // It takes a bulkhead, or HTTP, to show these.
      const elsewhere = /concurrency|http_client/
      let looked = 0
      for (const name of expressions.flatMap((expression) => seriesIn(expression, labels))) {
        if (elsewhere.test(name)) continue
        assert.match(shown, new RegExp(`^${name}[{ ]`, "m"))
        looked++
      }
      assert.isAbove(looked, 40)
      for (const expression of expressions) {
        for (const [matcher] of expression.matchAll(/\b(?:db|breakwater|error)_[a-z_]+="[a-z_]+"/g)) {
          assert.include(shown, matcher)
        }
      }
      assert.include(
        shown,
        "db_client_operation_duration_seconds_bucket{breakwater_backend=\"orders\",db_system_name=\"postgresql\",le=\"1\"}"
      )
    }).pipe(Effect.scoped, Backends.isolated))
})
