/**
 * The alert rules, run by Prometheus's own tool: each fires in the fault that it is for, and in none of the others that it
 * is not for, and all are silent while all is well.
 */
import { Backends } from "@breakwater/core"
import { type MetricName, operation, peers, policy, pool } from "@breakwater/core/Metrics"
import { Postgres } from "@breakwater/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Alerts from "../src/Alerts.ts"
import * as Board from "../src/Board.ts"
import { format } from "../src/internal/prometheus.ts"
import { label, series } from "../src/internal/promql.ts"
import { inFolder, isThere, promtool, testRules } from "./promtool.ts"

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
  readonly failures: number
  readonly attemptTimeouts: number
  readonly peersLost: number
  /** Share of the statements that took no longer than each of the buckets says. */
  readonly within: ReadonlyArray<number>
  /** The same of requests to a service of others. */
  readonly requestsWithin: ReadonlyArray<number>
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
  // One in a thousand, and a batch of four now and then.
  failures: 6 * n,
  attemptTimeouts: 4 * Math.floor(n / 12),
  // One in five of those that leave.
  peersLost: n,
  within: [0.2, 0.95, 0.995, 0.999, 0.9995, 1, 1, 1],
  requestsWithin: [0, 0.8, 0.9, 0.99, 0.995, 1, 1, 1]
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
    name: "three in a hundred requests take longer than a second",
    shows: () => ({ requestsWithin: [0, 0.8, 0.9, 0.96, 0.97, 1, 1, 1] }),
    fires: { BreakwaterSlowStatements: 2 }
  },
  {
    name: "requests are slow though connections are free",
    shows: () => ({ requestsWithin: [0, 0.1, 0.2, 0.3, 0.995, 1, 1, 1] }),
    fires: { BreakwaterSlowThoughIdle: 2 }
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
  {
    name: "one operation in ten fails",
    shows: (at) => ({ failures: 6 * at.n + 1200 * since(at) }),
    fires: { BreakwaterOperationsFail: 2 }
  },
  {
    name: "one attempt in ten gets no answer in time",
    shows: (at) => ({ attemptTimeouts: 40 + 1200 * since(at) }),
    fires: { BreakwaterAttemptsTimeOut: 2 }
  },
  {
    name: "most peers that leave have vanished",
    shows: (at) => ({ peersLost: at.n + 8 * since(at) }),
    fires: { BreakwaterPeersLost: 2 }
  },
  { name: "a circuit is open", shows: () => ({ circuitOpen: 1 }), fires: { BreakwaterCircuitOpen: 2 } }
]

type Shown = readonly [series: string, read: (process: Process, moment: Moment) => number]

const times = (metric: MetricName, is: Readonly<Record<string, string>>, of: "within" | "requestsWithin") => [
  [series(metric, { of: "count", is }), (_, { n }) => 6000 * n] satisfies Shown,
  ...BUCKETS.map((le, index): Shown => [
    series(metric, { of: "bucket", is: { ...is, le: String(le) } }),
    // Counted on from where the fault began, since a counter never falls.
    (process, { n, minutes }) => {
      const before = Math.min(n, FAULT_FROM * 60 / STEP_SECONDS)
      const calm = steady({ n, minutes })[of][index] ?? 1
      return Math.round(6000 * (calm * before + (process[of][index] ?? 1) * (n - before)))
    }
  ])
]

const shownBy = (instance: string): ReadonlyArray<Shown> => {
  const of = (metric: MetricName, read: Shown[1], what?: "count"): Shown => [
    series(metric, { of: what, is: { instance, [label.pool]: "orders" } }),
    read
  ]
  const ofPolicy = (metric: MetricName) => series(metric, { is: { instance, [label.policy]: "orders" } })
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
    [ofPolicy(policy.circuitOpen), ({ circuitOpen }) => circuitOpen],
    [ofPolicy(policy.attempts), (_, { n }) => 6000 * n],
    [ofPolicy(policy.attemptTimeouts), ({ attemptTimeouts }) => attemptTimeouts],
    [ofPolicy(policy.deadlinesExceeded), () => 0],
    [series(peers.pingTimeout, { is: { instance, [label.pool]: "feed" } }), ({ peersLost }) => peersLost],
    [series(peers.slowReader, { is: { instance, [label.pool]: "feed" } }), () => 0],
    [series(pool.closed, { is: { instance, [label.pool]: "feed" } }), (_, { n }) => 5 * n],
    [series(operation.failures, { is: statements }), ({ failures }) => failures],
    ...times(operation.database, statements, "within"),
    ...times(operation.http, { instance, [label.backend]: "payments" }, "requestsWithin"),
    [series(pool.idle, { is: { instance, [label.pool]: "payments" } }), () => 1]
  ]
}

const moments: ReadonlyArray<Moment> = Array.from(
  { length: MINUTES * 60 / STEP_SECONDS + 1 },
  (_, n) => ({ n, minutes: n * STEP_SECONDS / 60 })
)

/** What Prometheus makes of the buckets of a histogram since its version 3. */
const since3 = (name: string): string => name.replace(/le="(\d+)"/, "le=\"$1.0\"")

const inputOf = (shows: Fault["shows"], seriesAs = (name: string) => name) =>
  ["a", "b"].flatMap((instance) =>
    shownBy(instance).map(([name, read]) => ({
      series: seriesAs(name),
      values: moments.map((at) => read({ ...steady(at), ...(at.minutes > FAULT_FROM ? shows(at) : {}) }, at)).join(" ")
    }))
  )

const firingAt = (minutes: number, fires: Fault["fires"]) => ({
  expr: "count by (alertname) (ALERTS{alertstate=\"firing\"})",
  eval_time: `${minutes}m`,
  exp_samples: Object.entries(fires).map(([alertname, value]) => ({ labels: `{alertname="${alertname}"}`, value }))
})

const testOf = ({ fires, name }: Fault, input_series: ReturnType<typeof inputOf>) => ({
  name,
  interval: `${STEP_SECONDS}s`,
  input_series,
  promql_expr_test: [firingAt(FAULT_FROM, {}), firingAt(95, fires)]
})

/** One test of the tool for each fault: quiet until it begins, and then these and no others. */
const ruleTests = {
  tests: [
    {
      name: "steady",
      interval: `${STEP_SECONDS}s`,
      input_series: inputOf(() => ({})),
      promql_expr_test: [2, 15, 45, 60, 75, 95].map((minutes) => firingAt(minutes, {}))
    },
    ...faults.map((fault) => testOf(fault, inputOf(fault.shows))),
    ...faults.filter(({ fires }) => "BreakwaterSlowStatements" in fires)
      .map((fault) => testOf({ ...fault, name: `${fault.name}, in Prometheus 3` }, inputOf(fault.shows, since3)))
  ]
}

describe("The alert rules", () => {
  it("are one for each fault, and no fault is without one", () => {
    const firing = new Set(faults.flatMap(({ fires }) => Object.keys(fires)))
    assert.deepStrictEqual([...firing].toSorted(), Alerts.make().map(({ name }) => name).toSorted())
  })

  it("take other bounds", () => {
    const text = Alerts.toYaml(Alerts.make({ serverConnections: 197, waiting: 9, slow: 2, failing: 0.5 }))
    for (const part of ["> 197", "> 177", "> 9\"", "> 2 and", "> 0.5 and"]) assert.include(text, part)
  })

  it("refuse a bound that is none, and say what is allowed", () => {
    const refusals: ReadonlyArray<readonly [options: Alerts.Options, message: string]> = [
      [{ waiting: -1 }, "Option \"waiting\" is -1; allowed is a whole number of 0 or more."],
      [{ serverConnections: 0 }, "Option \"serverConnections\" is 0; allowed is a whole number of 1 or more."],
      [{ serverConnections: NaN }, "Option \"serverConnections\" is NaN; allowed is a whole number of 1 or more."],
      [{ slow: NaN }, "Option \"slow\" is NaN; allowed is a number of seconds above 0."],
      [{ slow: 0 }, "Option \"slow\" is 0; allowed is a number of seconds above 0."],
      [{ slow: Infinity }, "Option \"slow\" is Infinity; allowed is a number of seconds above 0."],
      [{ failing: -0.1 }, "Option \"failing\" is -0.1; allowed is a number from 0 to 1."],
      [{ failing: 5 }, "Option \"failing\" is 5; allowed is a number from 0 to 1."]
    ]
    for (const [options, message] of refusals) assert.throws(() => Alerts.make(options), RangeError, message)
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
    () => {
      const tested = testRules(ruleTests)
      assert.strictEqual(tested?.status, 0, tested?.output)
    }
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
      // It takes a bulkhead, HTTP, or peers to show these.
      const elsewhere = /concurrency|http_client|pool_lost/
      let looked = 0
      for (const name of expressions.flatMap((expression) => seriesIn(expression, labels))) {
        if (elsewhere.test(name)) continue
        assert.match(shown, new RegExp(`^${name}[{ ]`, "m"))
        looked++
      }
      assert.isAbove(looked, 40)
      for (const expression of expressions) {
        for (const [matcher] of expression.matchAll(/\b(?:db|breakwater|error)_[a-z_]+="[a-z_]+"/g)) {
          if (!elsewhere.test(matcher)) assert.include(shown, matcher)
        }
      }
      assert.include(
        shown,
        "db_client_operation_duration_seconds_bucket{breakwater_backend=\"orders\",db_system_name=\"postgresql\",le=\"1\"}"
      )
    }).pipe(Effect.scoped, Backends.isolated))
})
