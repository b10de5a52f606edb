/**
 * What the process can say of its backends: each asked for one round trip, in parallel, each within a time of its own.
 *
 * Readiness follows the critical ones. Liveness is no question for a backend: restarting a process does not bring its
 * database back.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { boundedMillis } from "../internal/validate.ts"
import type * as Policy from "../policy/Policy.ts"
import type { Holder } from "../pool/PoolError.ts"
import type { Backend, Detail, Health } from "./Backend.ts"
import * as Backends from "./Backends.ts"
import type { Profile } from "./Profile.ts"

/**
 * One backend, in the words of the endpoints that show it.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackendReport {
  readonly kind: string
  readonly status: "healthy" | "unhealthy"
  readonly critical: boolean
  /** Whose values are its defaults. */
  readonly profile: Profile | undefined
  readonly latency_ms: number
  /** Connections in use. */
  readonly active: number
  readonly idle: number
  readonly waiting: number
  readonly max: number
  /** State of its circuit breaker, where it has one. */
  readonly breaker: "closed" | "open" | "half-open" | undefined
  /** What bounds how many calls run at once, where something beside the pool does. */
  readonly limit: LimitReport | undefined
  /** Why it is not healthy. */
  readonly error: string | undefined
  /** What the last dial that failed said, also where it is healthy again. `at`: epoch milliseconds. */
  readonly last_error: { readonly at: number; readonly message: string } | undefined
  /** Who has held a connection the longest. */
  readonly oldest_holder: HolderReport | undefined
}

/**
 * How many calls may run at once, how many do, and how many wait for it. With `keys`, the number of keys that have a call,
 * `limit` is that of each, and the others are those of all together.
 *
 * @since 0.1.0
 * @category models
 */
export interface LimitReport {
  readonly limit: number
  readonly running: number
  readonly waiting: number
  readonly keys?: number
}

/**
 * Who holds a connection, in the words of the endpoints that show it.
 *
 * @since 0.1.0
 * @category models
 */
export interface HolderReport {
  readonly age_ms: number
  readonly label: string | undefined
  readonly site: string | undefined
}

/**
 * All that were asked, by label. `status` is unhealthy when a critical one is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  readonly status: "healthy" | "unhealthy"
  readonly backends: { readonly [label: string]: BackendReport }
}

/**
 * Whom to ask, and how long to wait.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Ask the critical backends only. Default false. */
  readonly criticalOnly?: boolean | undefined
  /** The time each backend has for its answer. Default 1 second. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Asks the registered backends. Never fails, and takes no longer than the time of one answer. Throws a `RangeError` for
 * a timeout that is not allowed.
 *
 * @since 0.1.0
 * @category observing
 */
export const check = (options?: Options): Effect.Effect<Report> => {
  const timeout = boundedMillis("timeout", options?.timeout ?? "1 second")
  return Effect.gen(function*() {
    const entries = yield* Backends.list
    const asked = options?.criticalOnly ? entries.filter(({ backend }) => backend.critical) : entries
    const answers = yield* Effect.forEach(
      asked,
      ({ backend, label }) => Effect.map(ask(backend, timeout), (report) => [label, report] as const),
      { concurrency: "unbounded" }
    )
    const failing = answers.some(([, { critical, status }]) => critical && status === "unhealthy")
    return { status: failing ? "unhealthy" : "healthy", backends: Object.fromEntries(answers) }
  })
}

const ask = (backend: Backend, timeout: number): Effect.Effect<BackendReport> =>
  Effect.gen(function*() {
    const health = yield* Effect.timeoutOrElse(backend.health, {
      duration: timeout,
      orElse: () => Effect.succeed(noAnswer(timeout))
    })
    const stats = yield* backend.stats
    const policy = yield* backend.policy
    const { holders: [oldest], lastError } = yield* backend.detail ?? NOTHING
    return {
      kind: backend.kind,
      status: health.status,
      critical: backend.critical,
      profile: backend.profile,
      latency_ms: tenths(health.latency),
      active: stats.used,
      idle: stats.idle,
      waiting: stats.waiting,
      max: stats.max,
      breaker: policy.circuit?.state,
      limit: limitOf(policy),
      error: health.status === "unhealthy" ? messageOf(health.error) : undefined,
      last_error: lastError === undefined ? undefined : { at: lastError.at, message: messageOf(lastError.error) },
      oldest_holder: oldest === undefined ? undefined : holderReport(oldest)
    }
  })

const NOTHING: Effect.Effect<Detail> = Effect.succeed({ times: {}, holders: [], lastError: undefined })

const tenths = (duration: Duration.Duration): number => Math.round(Duration.toMillis(duration) * 10) / 10

/**
 * A holder in the words of the endpoints.
 *
 * @since 0.1.0
 * @category formatting
 */
export const holderReport = ({ age, label, site }: Holder): HolderReport => ({ age_ms: tenths(age), label, site })

const limitOf = ({ adaptiveLimit, bulkhead }: Policy.Snapshot): LimitReport | undefined => {
  if (adaptiveLimit !== undefined) {
    const { limit, running, waiting } = adaptiveLimit
    return { limit, running, waiting }
  }
  if (bulkhead === undefined) return undefined
  const { permits, ...others } = bulkhead
  return { limit: permits, ...others }
}

const noAnswer = (timeout: number): Health => {
  const latency = Duration.millis(timeout)
  return { status: "unhealthy", latency, error: new Error(`no answer within ${Duration.format(latency)}`) }
}

/**
 * What an error says, whatever was thrown.
 *
 * @since 0.1.0
 * @category formatting
 */
export const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
