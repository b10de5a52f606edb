/** One backend in one second: how things stood, and what was counted since the second before. */
import type { BackendStats } from "./wire.ts"

/** Calls that did not end as their callers hoped, by why. */
export const failures = {
  timedOut: "timed out in the queue",
  refused: "refused by a full queue",
  shed: "shed",
  unavailable: "found no server",
  nested: "refused as nested",
  refusedClosed: "came after the end",
  revoked: "lost their connection",
  circuitRejected: "rejected by the breaker",
  deadlinesExceeded: "past their deadline",
  retriesExhausted: "failed with no retry left"
} as const

/** What a policy did so that they end well, or to keep the backend from harm. */
export const defences = {
  attemptTimeouts: "cut short",
  retries: "retries",
  bulkheadRefused: "refused by the bulkhead",
  limitRefused: "refused by the limit",
  throttled: "throttled",
  rateLimited: "over the rate limit"
} as const

export type Failure = keyof typeof failures
export type Defence = keyof typeof defences
export type Counted = Failure | Defence

/** How a backend does, from best to worst. */
export type Tone = "calm" | "strained" | "failing"

export interface Sample {
  readonly at: number
  readonly used: number
  readonly waiting: number
  readonly max: number
  /** Borrows begun a second; null where there is nothing to compare with. */
  readonly rate: number | null
  readonly waitP50: number | null
  readonly waitP95: number | null
  readonly useP50: number | null
  readonly useP95: number | null
  readonly operationP50: number | null
  readonly operationP95: number | null
  /** What was counted since the sample before. */
  readonly since: { readonly [K in Counted]?: number }
  readonly tone: Tone
}

// They are the keys of this object and no others.
export const failureNames = Object.keys(failures) as ReadonlyArray<Failure>
// They are the keys of this object and no others.
export const defenceNames = Object.keys(defences) as ReadonlyArray<Defence>
const names: ReadonlyArray<Counted> = [...failureNames, ...defenceNames]

const countsOf = ({ policy, pool }: BackendStats): { readonly [K in Counted]: number } => ({ ...pool, ...policy })

/** What was counted between two answers of a backend. A counter that went down belongs to another process. */
export const between = (before: BackendStats, now: BackendStats): Sample["since"] => {
  const [old, young] = [countsOf(before), countsOf(now)]
  return Object.fromEntries(
    names.flatMap((name) => young[name] > old[name] ? [[name, young[name] - old[name]]] : [])
  )
}

/** Calls of a second that went wrong: the failures of all kinds. */
export const failedIn = (since: Sample["since"]): number =>
  failureNames.reduce((sum, name) => sum + (since[name] ?? 0), 0)

/** What was counted over several samples, by why, the most frequent first. */
export const tally = (
  samples: ReadonlyArray<Pick<Sample, "since">>,
  kinds: ReadonlyArray<Counted>
): ReadonlyArray<{ readonly kind: Counted; readonly times: number }> =>
  kinds
    .map((kind) => ({ kind, times: samples.reduce((sum, { since }) => sum + (since[kind] ?? 0), 0) }))
    .filter(({ times }) => times > 0)
    .toSorted((a, b) => b.times - a.times)

export const sampleOf = (
  at: number,
  now: BackendStats,
  before: { readonly at: number; readonly stats: BackendStats } | undefined,
  tone: Tone
): Sample => {
  const { pool, times } = now
  const seconds = before === undefined ? 0 : (at - before.at) / 1000
  return {
    at,
    used: pool.used,
    waiting: pool.waiting,
    max: pool.max,
    rate: before === undefined || seconds <= 0 || pool.acquired < before.stats.pool.acquired
      ? null
      : (pool.acquired - before.stats.pool.acquired) / seconds,
    waitP50: times.wait?.p50 ?? null,
    waitP95: times.wait?.p95 ?? null,
    useP50: times.use?.p50 ?? null,
    useP95: times.use?.p95 ?? null,
    operationP50: times.operation?.p50 ?? null,
    operationP95: times.operation?.p95 ?? null,
    since: before === undefined ? {} : between(before.stats, now),
    tone
  }
}
