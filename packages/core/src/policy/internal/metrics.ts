/**
 * The metrics of a policy, read from its snapshot when somebody looks.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type * as Metric from "effect/Metric"
import { type MetricName, policy } from "../../internal/metricNames.ts"
import * as Metrics from "../../internal/metrics.ts"
import type { CircuitState, Snapshot } from "./snapshot.ts"

/** What a snapshot counts. */
type Count = { readonly [K in keyof Snapshot]-?: Snapshot[K] extends number ? K : never }[keyof Snapshot]

const {
  budget,
  circuitClosed,
  circuitHalfOpen,
  circuitOpen,
  hedgeAfter,
  limitMax,
  limitRunning,
  limitWaiting,
  rateLimitWaiting,
  ...counters
} = policy

// That every count has a name, and every name its count.
const counts: { readonly [K in Count]: MetricName } & typeof counters = counters

// They are the keys of the object above.
const counted = Object.keys(counts) as ReadonlyArray<Count>

type Read = (snapshot: Snapshot) => number | undefined

const isIn = (state: CircuitState["state"]): Read => ({ circuit }) => circuit?.state === state ? 1 : 0

/** The circuit is there for all, so that an alarm has something to read before the first host of a backend is known. */
const circuit: ReadonlyArray<readonly [MetricName, Read]> = [
  [circuitClosed, isIn("closed")],
  [circuitHalfOpen, isIn("half-open")],
  [circuitOpen, isIn("open")]
]

const gauges: ReadonlyArray<readonly [MetricName, Read]> = [
  [limitRunning, ({ adaptiveLimit, bulkhead }) => (bulkhead ?? adaptiveLimit)?.running],
  [limitWaiting, ({ adaptiveLimit, bulkhead }) => (bulkhead ?? adaptiveLimit)?.waiting],
  [limitMax, ({ adaptiveLimit, bulkhead }) => bulkhead?.permits ?? adaptiveLimit?.limit],
  [rateLimitWaiting, ({ rateLimit }) => rateLimit?.waiting],
  [budget, ({ retryBudget }) => retryBudget?.balance],
  [hedgeAfter, (snapshot) => snapshot.hedgeAfter === undefined ? undefined : Duration.toSeconds(snapshot.hedgeAfter)]
]

/**
 * How things stand is shown from when there is something that stands: of a backend that makes a policy for each host after its
 * first request, of a hedge that measures after some calls. Whoever looks then sees it with the next look.
 */
const standing = (snapshot: () => Snapshot): Metrics.Series => (owner, context) => {
  const shown = new Map<MetricName, Metric.Registration>()
  const look = (now: Snapshot) => {
    for (const [name, read] of gauges) {
      if (shown.has(name) || read(now) === undefined) continue
      shown.set(name, Metrics.number(name, () => read(snapshot()) ?? 0)(owner, context))
    }
  }
  look(snapshot())
  const calls = Metrics.number(counts.calls, () => {
    const now = snapshot()
    look(now)
    return now.calls
  })(owner, context)
  return {
    remove: () => {
      for (const registration of [calls, ...shown.values()]) registration.remove()
    }
  }
}

export const seriesOf = (snapshot: () => Snapshot): ReadonlyArray<Metrics.Series> => [
  standing(snapshot),
  ...counted.filter((of) => of !== "calls").map((of) => Metrics.number(counts[of], () => snapshot()[of])),
  ...circuit.map(([name, read]) => Metrics.number(name, () => read(snapshot()) ?? 0))
]
