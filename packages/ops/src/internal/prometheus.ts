/**
 * Breakwater's metrics under the names that OpenTelemetry's rules for Prometheus give them: seconds end in `_seconds`,
 * counters in `_total`. Those of others keep their names.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { exportedId } from "./promql.ts"

const OURS = /^(?:db\.client\.|breakwater\.|http\.client\.request\.duration$)/

const named = ({ attributes, id, type }: Metric.Metric.Snapshot): string => {
  const unit = attributes !== undefined && "unit" in attributes ? attributes["unit"] : undefined
  return exportedId(id, unit, type === "Counter")
}

export const contentType = "text/plain; version=0.0.4; charset=utf-8"

export const format: Effect.Effect<string> = Effect.gen(function*() {
  const names = new Map<string, string>()
  for (const snapshot of yield* Metric.snapshot) if (OURS.test(snapshot.id)) names.set(snapshot.id, named(snapshot))
  return yield* PrometheusMetrics.format({ metricNameMapper: (id) => names.get(id) ?? id })
})
