import * as Activity from "@breakwater/core/Activity"
import { makeOperations } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as Pool from "@breakwater/core/Pool"
import { GuideMetrics } from "@breakwater/ops"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { readFileSync } from "node:fs"
import { backend } from "./support.ts"

const document = readFileSync(new URL("../../../docs/80-operations.md", import.meta.url), "utf8")

/** What comes before the names that are in the log. */
const [ofMetrics = ""] = document.split(/^## The log$/m)

/** What the tables of metrics say: each name with its labels. */
const described = new Map(
  [...ofMetrics.matchAll(/^\| `([\w.]+)` +\|([^|]*)\|/gm)].map(([, name = "", labels = ""]) => [
    name,
    [...labels.matchAll(/`([\w.]+)`/g)].flatMap(([, label]) => label ?? []).toSorted()
  ])
)

const shown = Effect.gen(function*() {
  const operation = makeOperations().times.snapshot()
  const detail = Effect.succeed({ times: { operation }, holders: [], failures: 0, lastError: undefined })
  yield* Pool.make({ name: "orders", acquire: Effect.sync(Activity.make), size: { max: 1 }, activity: (one) => one })
  yield* backend("orders", { kind: "postgres", detail })
  yield* backend("payments", { kind: "http", detail })
  const lost = { pingTimeout: () => 0, slowReader: () => 0 }
  yield* Pool.showMetrics("feed", { stats: () => Pool.emptyStats, times: {}, lost })
  yield* Layer.build(GuideMetrics.layer)
  const labels = new Map<string, Set<string>>()
  for (const { attributes = {}, id } of yield* Metric.snapshot) {
    // Core names those of policies, in `Metrics`.
    if (id.startsWith("breakwater.policy.")) continue
    const known = labels.get(id) ?? new Set()
    for (const label of Object.keys(attributes)) if (label !== "unit") known.add(label)
    labels.set(id, known)
  }
  return new Map(Array.from(labels, ([id, known]) => [id, [...known].toSorted()]))
})

describe("the page on operations", () => {
  it.effect("names every metric with its labels, and no other", () =>
    Effect.suspend(() =>
      Effect.provideService(
        Effect.scoped(Backends.isolated(shown)),
        Metric.MetricRegistry,
        new Map()
      )
    ).pipe(Effect.map((metrics) => {
      const sorted = (of: ReadonlyMap<string, unknown>) =>
        Object.fromEntries([...of].toSorted(([a], [b]) => a < b ? -1 : 1))
      assert.deepStrictEqual(sorted(described), sorted(metrics))
    })))
})
