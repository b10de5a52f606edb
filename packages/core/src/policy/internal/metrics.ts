/**
 * The metrics of a policy, read from its snapshot when somebody looks.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
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

/** The circuit is there for all: that of a backend with several hosts comes with the first of them. */
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

/** How things stand is shown where there is something that stands. */
export const seriesOf = (snapshot: () => Snapshot): ReadonlyArray<Metrics.Series> => {
  const first = snapshot()
  const standing = gauges.filter(([, read]) => read(first) !== undefined)
  return [
    ...counted.map((of) => Metrics.number(counts[of], () => snapshot()[of])),
    ...[...circuit, ...standing].map(([name, read]) => Metrics.number(name, () => read(snapshot()) ?? 0))
  ]
}
