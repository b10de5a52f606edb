/**
 * The alert rules on what the storefront showed in a storm. `storm-metrics.json` has it, and says when and how it was
 * taken; `npm start -- --seconds 80 --metrics packages/ops/test/storm-metrics.json` takes another one.
 *
 * After a while as in the steady phase each fault goes on for ten minutes: counters at the rate that they had in it,
 * everything else as it was shortly before its end. In the real storm it was over after seconds.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fs from "node:fs"
import * as Alerts from "../src/Alerts.ts"
import { label } from "../src/internal/promql.ts"
import { isThere, testRules } from "./promtool.ts"

const Stage = Schema.Struct({
  name: Schema.String,
  at: Schema.Tuple([Schema.Finite, Schema.Finite, Schema.Finite]),
  samples: Schema.Tuple([Schema.String, Schema.String, Schema.String])
})

type Stage = typeof Stage.Type

const Recorded = Schema.fromJsonString(
  Schema.Struct({ taken: Schema.String, series: Schema.Array(Schema.String), stages: Schema.Array(Stage) })
)

const recorded = Schema.decodeUnknownSync(Recorded)(
  fs.readFileSync(new URL("storm-metrics.json", import.meta.url), "utf8")
)

const STEADY = "steady load"

/** Rules that must fire, by the backend that they name. Others of that backend may. */
type Fires = Readonly<Record<string, ReadonlyArray<string>>>

const faults: Readonly<Record<string, Fires>> = {
  "postgres.kill": { storefront: ["BreakwaterConnectionErrors"] },
  "postgres.cut": { storefront: ["BreakwaterOperationsFail"] },
  "postgres.blackhole": { storefront: ["BreakwaterAttemptsTimeOut"] },
  "postgres.exhausted": { storefront: ["BreakwaterAttemptsTimeOut"] },
  "redis.cut": { cache: ["BreakwaterConnectionErrors"] },
  "redis.kill": { cache: ["BreakwaterConnectionErrors"] },
  "http.slow": { payments: ["BreakwaterAttemptsTimeOut"] },
  "http.half": { payments: ["BreakwaterOperationsFail"] },
  "http.refused": { payments: ["BreakwaterOperationsFail"] },
  "mongodb.kill": { catalogue: ["BreakwaterConnectionErrors"] },
  "websocket.vanished": { feed: ["BreakwaterPeersLost"] },
  "websocket.slow": { feed: ["BreakwaterPeersLost"] },
  "redis.kill+http.refused": { cache: ["BreakwaterConnectionErrors"], payments: ["BreakwaterOperationsFail"] }
}

/** What the storm calls a kind of backend has a name of its own in the shop. */
const SHOP: Readonly<Record<string, string>> = {
  postgres: "storefront",
  redis: "cache",
  http: "payments",
  mongodb: "catalogue",
  websocket: "feed"
}

const STEP_SECONDS = 30
const CALM_STEPS = 45 * 60 / STEP_SECONDS
const FAULT_STEPS = 10 * 60 / STEP_SECONDS
/** The last moment of the ten minutes. */
const END = CALM_STEPS + FAULT_STEPS

/** The samples: before the fault, shortly before its end, once all is well again. */
type Moment = 0 | 1 | 2

/** Whoever vanishes is given up a heartbeat later, which is when the fault is over. */
const endOf = ({ name }: Stage): Moment => name === "websocket.vanished" || name === STEADY ? 2 : 1

/** What was not shown yet was 0. */
const valuesOf = ({ samples }: Stage, moment: Moment): ReadonlyArray<number> =>
  samples[moment].split(" ").map((value) => value === "_" ? 0 : Number(value))

/** In a second. */
const ratesOf = (stage: Stage): ReadonlyArray<number> => {
  const end = endOf(stage)
  const before = valuesOf(stage, 0)
  return valuesOf(stage, end).map((value, index) => (value - (before[index] ?? 0)) / (stage.at[end] - stage.at[0]))
}

const isCounter = (series: string): boolean => /_total\{|_seconds_(?:count|bucket)\{/.test(series)

const stageOf = (name: string): Stage =>
  recorded.stages.find((stage) => stage.name === name) ?? assert.fail(`${name} is not in the recording`)

const steps = Array.from({ length: END + 1 }, (_, n) => n)

/** The steady phase, and then the stage. */
const inputOf = (stage: Stage) => {
  const steady = stageOf(STEADY)
  const [calmRates, rates] = [ratesOf(steady), ratesOf(stage)]
  const calm = ([0, 1, 2] as const).map((moment) => valuesOf(steady, moment))
  const broken = valuesOf(stage, endOf(stage))
  return recorded.series.map((series, index) => {
    const valueAt = (n: number): number | undefined => {
      if (!isCounter(series)) return (n <= CALM_STEPS ? calm[n % calm.length] : broken)?.[index]
      const calmly = Math.min(n, CALM_STEPS) * (calmRates[index] ?? 0)
      return Math.round(STEP_SECONDS * (calmly + Math.max(0, n - CALM_STEPS) * (rates[index] ?? 0)))
    }
    return { series: series.replace("{", "{instance=\"shop\","), values: steps.map(valueAt).join(" ") }
  })
}

/** An alarm names a pool, a backend or a policy. */
const LABELS = [label.pool, label.backend, label.policy]

/** Of HTTP each origin has a pool, which is called so as well. */
const named = (backends: ReadonlyArray<string>): string => `"(?:${backends.join("|")})(?: .*)?"`

const firing = (matchers: ReadonlyArray<string>): string =>
  matchers.map((matcher) => `ALERTS{alertstate="firing",${matcher}}`).join(" or ")

const NAMELESS = LABELS.map((name) => `${name}=""`).join()

const silentAt = (step: number) => ({
  expr: "ALERTS{alertstate=\"firing\"}",
  eval_time: `${step * STEP_SECONDS}s`,
  exp_samples: []
})

/** The rules, each with the name of its backend. */
const fireAt = (step: number, fires: Fires) =>
  Object.entries(fires).flatMap(([backend, rules]) =>
    rules.map((alertname) => ({
      expr: `group by (alertname) (${
        firing(LABELS.map((name) => `alertname="${alertname}",${name}=~${named([backend])}`))
      })`,
      eval_time: `${step * STEP_SECONDS}s`,
      exp_samples: [{ labels: `{alertname="${alertname}"}`, value: 1 }]
    }))
  )

/** No rule with another name, or with none. */
const noOtherAt = (step: number, backends: ReadonlyArray<string>) => ({
  expr: firing([...LABELS.map((name) => `${name}!="",${name}!~${named(backends)}`), NAMELESS]),
  eval_time: `${step * STEP_SECONDS}s`,
  exp_samples: []
})

const testOf = (stage: Stage, fires: Fires) => ({
  name: stage.name,
  interval: `${STEP_SECONDS}s`,
  input_series: inputOf(stage),
  promql_expr_test: [
    ...steps.slice(0, CALM_STEPS + 1).filter((n) => n % 10 === 0).map(silentAt),
    ...fireAt(END, fires),
    ...Object.keys(fires).length === 0
      ? steps.slice(CALM_STEPS).map(silentAt)
      : steps.slice(CALM_STEPS).map((n) => noOtherAt(n, Object.keys(fires)))
  ]
})

describe("The alert rules in the storm", () => {
  it("have a record of each fault that says whose it was", () => {
    const names = recorded.stages.map(({ name }) => name)
    assert.deepStrictEqual(names.toSorted(), [...Object.keys(faults), STEADY].toSorted(), recorded.taken)
    for (const [name, fires] of Object.entries(faults)) {
      const broken = name.split("+").map((fault) => SHOP[fault.split(".")[0] ?? ""] ?? "")
      assert.sameMembers(Object.keys(fires), broken, name)
    }
  })

  it("read what is in the record, by the names and labels that it has there", () => {
    const text = recorded.series.join("\n")
    const labels = new Set([...text.matchAll(/(\w+)="/g)].map(([, name]) => name))
    for (const { expr } of Alerts.make()) {
      for (const [name] of expr.matchAll(/\b(?:db_client|http_client|breakwater)_\w+/g)) {
        if (!labels.has(name)) assert.include(text, `${name}{`, "take the recording anew")
      }
      for (const [matcher] of expr.matchAll(/\b(?:db|breakwater|error)_\w+="\w+"/g)) assert.include(text, matcher)
    }
  })

  for (const stage of recorded.stages) {
    const fires = faults[stage.name] ?? {}
    const what = Object.keys(fires).join(" and ") || "nothing"
    it.runIf(isThere)(`name ${what} and no other backend in: ${stage.name}`, { timeout: 60_000 }, () => {
      const tested = testRules({ tests: [testOf(stage, fires)] })
      assert.strictEqual(tested?.status, 0, tested?.output)
    })
  }
})
