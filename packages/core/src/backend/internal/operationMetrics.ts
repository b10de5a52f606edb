/**
 * The metrics of what a backend asks of its server. As those of pools they are read when somebody looks, and cost the
 * operations nothing.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { attributes, operation } from "../../internal/metricNames.ts"
import type { Backend } from "../Backend.ts"
import * as Histogram from "../Histogram.ts"

/** OpenTelemetry's names of what the backends are of. */
const SYSTEMS: Readonly<Record<string, string>> = { postgres: "postgresql" }

const unwritten = { update: () => {}, modify: () => {} }

const show = (label: string, { detail, kind }: Backend, context: Context.Context<never>): () => void => {
  const read = () => detail === undefined ? undefined : Effect.runSync(detail)
  const boundaries = read()?.times.operation?.bounds
  if (boundaries === undefined) return () => {}
  const system = kind === "http" ? {} : { [attributes.system]: SYSTEMS[kind] ?? kind }
  const owner = { [attributes.owner]: label, ...system }
  const duration = kind === "http" ? operation.http : operation.database
  const times = Metric.histogram(duration.id, { attributes: { ...owner, unit: duration.unit }, boundaries })
  const failures = Metric.counter(operation.failures.id, {
    attributes: { ...owner, unit: operation.failures.unit },
    incremental: true
  })
  const registrations = [
    Metric.registerUnsafe(times, context, {
      get: () => Histogram.toMetric(read()?.times.operation, boundaries),
      ...unwritten
    }),
    Metric.registerUnsafe(failures, context, {
      get: () => ({ count: read()?.failures ?? 0, incremental: true }),
      ...unwritten
    })
  ]
  return () => {
    for (const registration of registrations) registration.remove()
  }
}

export const showOperations = (label: string, backend: Backend): Effect.Effect<void, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) =>
    Effect.asVoid(Effect.acquireRelease(
      Effect.sync(() => show(label, backend, context)),
      (hide) => Effect.sync(hide)
    ))
  )
