/**
 * Metrics that nobody writes: they are read, from what is counted anyway, when somebody looks. No call does any work for
 * them.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { MetricName } from "./metricNames.ts"

type Attributes = Readonly<Record<string, string>>

/** One series, to be shown with what says whose it is. */
export type Series = (owner: Attributes, context: Context.Context<never>) => Metric.Registration

const register = <Input, State>(
  metric: Metric.Metric<Input, State>,
  context: Context.Context<never>,
  get: () => State
): Metric.Registration => Metric.registerUnsafe(metric, context, { get, update: () => {}, modify: () => {} })

const attributesOf = ({ labels, unit }: MetricName, owner: Attributes) => ({
  attributes: { ...owner, unit, ...labels }
})

/** What is there now, or was counted so far. */
export const number = (name: MetricName, read: () => number): Series => (owner, context) =>
  name.type === "gauge"
    ? register(Metric.gauge(name.id, attributesOf(name, owner)), context, () => ({ value: read() }))
    : register(Metric.counter(name.id, { ...attributesOf(name, owner), incremental: true }), context, () => ({
      count: read(),
      incremental: true
    }))

/** How long something took, over and over. */
export const histogram = (
  name: MetricName,
  boundaries: ReadonlyArray<number>,
  read: () => Metric.HistogramState
): Series =>
(owner, context) => register(Metric.histogram(name.id, { ...attributesOf(name, owner), boundaries }), context, read)

/** Names that are shown now, by where, and by the attribute that tells them. */
const shownIn = new WeakMap<Metric.MetricRegistry, Map<string, Set<string>>>()

const takenIn = (registry: Metric.MetricRegistry, key: string): Set<string> => {
  const byKey = shownIn.get(registry) ?? new Map<string, Set<string>>()
  shownIn.set(registry, byKey)
  const taken = byKey.get(key) ?? new Set<string>()
  byKey.set(key, taken)
  return taken
}

const freeName = (taken: ReadonlySet<string>, name: string): string => {
  let free = name
  for (let n = 2; taken.has(free); n++) free = `${name}#${n}`
  return free
}

/** Whose metrics they are: the attribute that says it, its value, and what else is said of it. */
export interface Owner {
  readonly key: string
  readonly name: string
  readonly others?: Attributes | undefined
}

/**
 * Shows metrics until the returned function is called. A second owner of the same name shows as `name#2`: series that are
 * equal would hide one another.
 */
export const show = (owner: Owner, series: ReadonlyArray<Series>, context: Context.Context<never>): () => void => {
  const taken = takenIn(Context.get(context, Metric.MetricRegistry), owner.key)
  const name = freeName(taken, owner.name)
  taken.add(name)
  const registrations = series.map((one) => one({ [owner.key]: name, ...owner.others }, context))
  return () => {
    for (const registration of registrations) registration.remove()
    taken.delete(name)
  }
}
