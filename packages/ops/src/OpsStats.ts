/**
 * The bodies of `/stats`, of `/stats/database` and of the stream that feeds the dashboard, as schemas: for whoever reads
 * them.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as GuideStats from "./GuideStats.ts"
import { Holder, LastError } from "./OpsHealth.ts"

const Count = Schema.Int

/**
 * The numbers of a pool, as core's `Pool.Stats`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Pool = Schema.Struct({
  idle: Count,
  used: Count,
  opening: Count,
  checking: Count,
  closing: Count,
  waiting: Count,
  min: Count,
  max: Count,
  keep: Count,
  opened: Count,
  closed: Count,
  acquired: Count,
  reused: Count,
  revoked: Count,
  timedOut: Count,
  refused: Count,
  shed: Count,
  cancelled: Count,
  unavailable: Count,
  nested: Count,
  refusedClosed: Count
})

/**
 * What policies did, as core's `Policy.Snapshot`; times in milliseconds.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Policy = Schema.Struct({
  name: Schema.String,
  calls: Count,
  attempts: Count,
  retries: Count,
  retriesSkipped: Count,
  retriesExhausted: Count,
  overBudget: Count,
  hedges: Count,
  hedgesWon: Count,
  hedgesSkipped: Count,
  attemptTimeouts: Count,
  deadlinesExceeded: Count,
  circuitOpened: Count,
  circuitRejected: Count,
  bulkheadRefused: Count,
  faultsInjected: Count,
  limitRefused: Count,
  throttled: Count,
  rateLimited: Count,
  recoveries: Count,
  circuit: Schema.optionalKey(Schema.Struct({
    state: Schema.Literals(["closed", "open", "half-open"]),
    mode: Schema.Literals(["automatic", "forcedOpen", "metricsOnly", "disabled"]),
    calls: Count,
    failures: Count,
    slow: Count
  })),
  bulkhead: Schema.optionalKey(Schema.Struct({
    running: Count,
    waiting: Count,
    permits: Count,
    keys: Schema.optionalKey(Count)
  })),
  adaptiveLimit: Schema.optionalKey(Schema.Struct({
    limit: Schema.Number,
    running: Count,
    waiting: Count,
    unloaded_ms: Schema.NullOr(Schema.Number)
  })),
  throttle: Schema.optionalKey(Schema.Struct({ requests: Count, accepts: Count })),
  rateLimit: Schema.optionalKey(Schema.Struct({ keys: Count, waiting: Count })),
  retryBudget: Schema.optionalKey(Schema.Struct({ balance: Schema.Number, share: Schema.Number })),
  hedgeAfter_ms: Schema.optionalKey(Schema.Number)
})

/**
 * Percentiles in milliseconds, and of how many; of about the last ten seconds.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Quantiles = Schema.Struct({
  mean: Schema.Number,
  p50: Schema.Number,
  p95: Schema.Number,
  p99: Schema.Number,
  count: Count
})

/**
 * One backend. In `times`, null is what it does not measure, or did not do of late: how long borrows waited and held their
 * connection, for how much of that nothing ran on it, how long dials took, how long the server took for what it was asked.
 * `share_held_idle` is that of all holds together, of the same ten seconds. `share_reused` is that of borrows that got a
 * connection which had been used before, null before the first. `overrides` are the settings that are not those of
 * the profile. `sizing` is what `Sizing.fromStats` of core says of the last ten seconds, of databases; null for others, and
 * for one that has just come.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Backend = Schema.Struct({
  kind: Schema.String,
  critical: Schema.Boolean,
  profile: Schema.NullOr(Schema.String),
  overrides: Schema.Array(Schema.Struct({ setting: Schema.String, value: Schema.String, profile: Schema.String })),
  /** As the guides word it: `Limit: 50, Pool Timeout: 20s, Connect Timeout: 10s`. */
  pool_info: Schema.String,
  /** How long anything of it may take now, in milliseconds; null where it has no limit of that. */
  limits_ms: Schema.Struct({
    wait: Schema.NullOr(Schema.Number),
    dial: Schema.NullOr(Schema.Number),
    timeout: Schema.NullOr(Schema.Number),
    deadline: Schema.NullOr(Schema.Number)
  }),
  pool: Pool,
  policy: Policy,
  times: Schema.Struct({
    wait: Schema.NullOr(Quantiles),
    use: Schema.NullOr(Quantiles),
    heldIdle: Schema.NullOr(Quantiles),
    create: Schema.NullOr(Quantiles),
    operation: Schema.NullOr(Quantiles)
  }),
  share_held_idle: Schema.NullOr(Schema.Number),
  share_reused: Schema.NullOr(Schema.Number),
  sizing: Schema.NullOr(Schema.Struct({
    limit: Count,
    change: Schema.Literals(["grow", "shrink", "keep", "set"]),
    findings: Schema.Array(Schema.Struct({ kind: Schema.String, says: Schema.String, source: Schema.String }))
  })),
  /** The longest first, at most five. */
  holders: Schema.Array(Holder),
  last_error: Schema.NullOr(LastError),
  /** What the last health check found; null before the first. */
  health: Schema.NullOr(Schema.Struct({
    at: Schema.Number,
    status: Schema.Literals(["healthy", "unhealthy"]),
    latency_ms: Schema.Number
  })),
  /** With the option `guideStats` only; null for a kind that has none. */
  guide: Schema.optionalKey(Schema.NullOr(GuideStats.Stats))
})

/**
 * Over all backends.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Totals = Schema.Struct({ backends: Count, ...Pool.fields })

/**
 * `/stats`. `at` in epoch milliseconds; `phase` and `profile` null where there is none, `profile` also where backends have
 * different ones.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Stats = Schema.Struct({
  service: Schema.String,
  at: Schema.Number,
  uptime_ms: Schema.Number,
  phase: Schema.NullOr(Schema.Literals(["starting", "ready", "draining", "stopped"])),
  profile: Schema.NullOr(Schema.String),
  totals: Totals,
  backends: Schema.Record(Schema.String, Backend)
})

/**
 * `/stats/database`, in the shape of the guides: the first registered database, or the one that `?backend=` names.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Database = Schema.Struct({
  success: Schema.Boolean,
  data: Schema.Struct({
    healthy: Schema.Boolean,
    totalQueries: Count,
    totalErrors: Count,
    poolInfo: Schema.String,
    timestamp: Schema.String
  })
})

/**
 * Something that happened to a backend of that kind, with its details in further fields: times in milliseconds under names that end in
 * `_ms`, errors as what they say.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Happening = Schema.StructWithRest(
  Schema.Struct({ at: Schema.Number, backend: Schema.String, kind: Schema.String, tag: Schema.String }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)

/**
 * What happened since the frame before, and how many more that a slow reader has missed.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Happenings = Schema.Struct({ dropped: Count, events: Schema.Array(Happening) })
