/**
 * Breakwater's metrics under the names that OpenTelemetry's rules for Prometheus give them: seconds end in `_seconds`,
 * counters in `_total`. Those of others keep their names.
 *
 * @internal
 */
import { type MetricName, operation, peers, policy, pool } from "@breakwater/core/Metrics"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { exportedId } from "./promql.ts"

const OURS = /^(?:db\.client\.|breakwater\.|http\.client\.request\.duration$)/

const named = ({ attributes, id, type }: Metric.Metric.Snapshot): string => {
  const unit = attributes !== undefined && "unit" in attributes ? attributes["unit"] : undefined
  return exportedId(id, unit, type === "Counter")
}

const known = [operation, peers, policy, pool].flatMap((group) =>
  Object.values<MetricName>(group).map(({ id, type, unit }) => [id, exportedId(id, unit, type === "counter")] as const)
)

export const contentType = "text/plain; version=0.0.4; charset=utf-8"

export const format: Effect.Effect<string> = Effect.gen(function*() {
  // Some come only with the next look: of those the look below knows nothing yet.
  const names = new Map(known)
  for (const snapshot of yield* Metric.snapshot) if (OURS.test(snapshot.id)) names.set(snapshot.id, named(snapshot))
  return yield* PrometheusMetrics.format({ metricNameMapper: (id) => names.get(id) ?? id })
})
