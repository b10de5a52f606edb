/** What the service sends, as this page reads it. */

export type Phase = "starting" | "ready" | "draining" | "stopped"

export interface PoolCounts {
  readonly idle: number
  readonly used: number
  readonly opening: number
  readonly checking: number
  readonly closing: number
  readonly waiting: number
  readonly max: number
  readonly acquired: number
  readonly timedOut: number
  readonly refused: number
  readonly shed: number
  readonly unavailable: number
  readonly nested: number
  readonly refusedClosed: number
  readonly revoked: number
}

export interface Circuit {
  readonly state: "closed" | "open" | "half-open"
  readonly mode: "automatic" | "forcedOpen" | "metricsOnly" | "disabled"
}

export interface PolicyState {
  readonly calls: number
  readonly retries: number
  readonly retriesExhausted: number
  readonly attemptTimeouts: number
  readonly deadlinesExceeded: number
  readonly circuitRejected: number
  readonly bulkheadRefused: number
  readonly limitRefused: number
  readonly throttled: number
  readonly rateLimited: number
  readonly circuit?: Circuit | undefined
  readonly bulkhead?: { readonly running: number; readonly waiting: number; readonly permits: number } | undefined
  readonly adaptiveLimit?: { readonly limit: number; readonly running: number; readonly waiting: number } | undefined
  readonly throttle?: { readonly requests: number; readonly accepts: number } | undefined
  readonly rateLimit?: { readonly keys: number; readonly waiting: number } | undefined
  readonly retryBudget?: { readonly balance: number } | undefined
}

/** Milliseconds, and how many they were taken from. */
export interface Quantiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly count: number
}

export interface Holder {
  readonly age_ms: number
  readonly label: string | null
  readonly site: string | null
}

export interface BackendStats {
  readonly kind: string
  readonly critical: boolean
  readonly profile: string | null
  readonly pool: PoolCounts
  readonly policy: PolicyState
  readonly times: {
    readonly wait: Quantiles | null
    readonly use: Quantiles | null
    readonly create: Quantiles | null
    readonly operation: Quantiles | null
  }
  readonly holders: ReadonlyArray<Holder>
  readonly last_error: { readonly at: number; readonly message: string } | null
  readonly health: { readonly at: number; readonly status: "healthy" | "unhealthy"; readonly latency_ms: number } | null
}

export interface Stats {
  readonly service: string
  readonly at: number
  readonly uptime_ms: number
  readonly phase: Phase | null
  readonly profile: string | null
  readonly backends: { readonly [label: string]: BackendStats }
}

/** Something that happened to a backend, with its details in further fields. */
export interface Happening {
  readonly at: number
  readonly backend: string
  readonly tag: string
  readonly [field: string]: unknown
}
