/** Words of a service, made up for the tests of the page. */
import { Policy, Pool } from "@breakwater/core"
import type { BackendStats, Stats } from "../../src/internal/dashboard/client/wire.ts"

const pool = { ...Pool.emptyStats, max: 10, keep: 10 }

// That of a limit is the one part that the wire has in other words.
const { adaptiveLimit: _, ...policy } = Policy.snapshot(Policy.make({ name: "orders" }))

export const backend = (changes: {
  readonly pool?: Partial<BackendStats["pool"]>
  readonly policy?: Partial<BackendStats["policy"]>
  readonly others?: Partial<BackendStats>
} = {}): BackendStats => ({
  kind: "postgres",
  critical: true,
  profile: null,
  overrides: [],
  pool_info: "Limit: 10",
  limits_ms: { wait: null, dial: null, timeout: null, deadline: null },
  times: { wait: null, use: null, heldIdle: null, create: null, operation: null },
  share_held_idle: null,
  share_reused: null,
  sizing: null,
  holders: [],
  last_error: null,
  health: null,
  ...changes.others,
  pool: { ...pool, ...changes.pool },
  policy: { ...policy, ...changes.policy }
})

export const quantiles = (p50: number, p95: number) => ({ mean: p50, p50, p95, p99: p95, count: 100 })

export const circuit = (state: "closed" | "open" | "half-open", mode: "automatic" | "metricsOnly" = "automatic") =>
  ({ state, mode, calls: 10, failures: 1, slow: 0 }) as const

/** The word of second `second`. */
export const stats = (second: number, backends: Readonly<Record<string, BackendStats>>): Stats => ({
  service: "shop",
  at: 1_800_000_000_000 + second * 1000,
  uptime_ms: second * 1000,
  phase: "ready",
  profile: null,
  totals: { backends: Object.keys(backends).length, ...pool },
  backends
})
