/**
 * What Prometheus calls our metrics, and queries put together of those names: whatever draws a metric or watches it names
 * its definition in core, so that nothing watches a series that is not there.
 *
 * @internal
 */
import { attributes, type MetricName } from "@breakwater/core/Metrics"

/** Prometheus knows letters, digits and `_`. */
const clean = (name: string): string => name.replaceAll(/[^\w:]/g, "_")

/** By OpenTelemetry's rules for Prometheus: seconds end in `.seconds`, counters in `.total`. */
export const exportedId = (id: string, unit: unknown, isCounter: boolean): string =>
  `${id}${unit === "s" ? ".seconds" : ""}${isCounter ? ".total" : ""}`

export const label = {
  pool: clean(attributes.pool),
  policy: clean(attributes.policy),
  kind: clean(attributes.backend),
  backend: clean(attributes.owner),
  system: clean(attributes.system)
} as const

type Matchers = Readonly<Record<string, string>>

/** A histogram is named by what of it is meant: `bucket`, `count`, `sum`. */
export const series = (
  metric: MetricName,
  { is = {}, of, where }: {
    readonly is?: Matchers | undefined
    readonly of?: "bucket" | "count" | "sum" | undefined
    /** Written as it is, before the others. */
    readonly where?: string | undefined
  } = {}
): string => {
  const labels = Object.entries(metric.labels ?? {}).map(([key, value]) => [clean(key), value] as const)
  const matchers = [
    ...(where === undefined ? [] : [where]),
    ...[...labels, ...Object.entries(is)].map(([key, value]) => `${key}="${value}"`)
  ]
  const name = clean(exportedId(metric.id, metric.unit, metric.type === "counter"))
  return `${name}${of === undefined ? "" : `_${of}`}${matchers.length === 0 ? "" : `{${matchers.join(",")}}`}`
}

/** The name of a label that only some of the series of a metric differ by. */
export const stateOf = (metric: MetricName): string => Object.keys(metric.labels ?? {}).map(clean).join()

export const quantile = (share: number, metric: MetricName, by: ReadonlyArray<string>, where?: string): string =>
  `histogram_quantile(${share}, sum by (${["le", ...by].join(", ")}) (rate(${
    series(metric, { of: "bucket", where })
  }[5m])))`
