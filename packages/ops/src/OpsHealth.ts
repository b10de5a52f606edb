/**
 * The bodies of the health endpoints, as schemas: for whoever reads them.
 *
 * @since 0.1.0
 */
import type * as Health from "@breakwater/core/Health"
import * as Schema from "effect/Schema"

const Status = Schema.Literals(["healthy", "unhealthy"])

/**
 * `/health/live`: that the process answers. It asks no backend: restarting a process does not bring its database back.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Live = Schema.Struct({ status: Schema.Literal("alive") })

/**
 * `/health/ready`: whether to send requests. `phase` is that of the process, null where nothing tells; `backends` are
 * the critical ones, none of which is asked outside of the phase `ready`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Ready = Schema.Struct({
  status: Schema.Literals(["ready", "not ready"]),
  phase: Schema.NullOr(Schema.Literals(["starting", "ready", "draining", "stopped"])),
  backends: Schema.Record(Schema.String, Status)
})

/**
 * What an error said. `at`: epoch milliseconds.
 *
 * @since 0.1.0
 * @category schemas
 */
export const LastError = Schema.Struct({ at: Schema.Number, message: Schema.String })

/**
 * Who holds a connection, and for how long.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Holder = Schema.Struct({
  age_ms: Schema.Number,
  label: Schema.NullOr(Schema.String),
  site: Schema.NullOr(Schema.String)
})

/**
 * One backend of `/health/pools`. Of its policies only what decides whether a call is let in: the state of the breaker, and
 * what bounds the calls at once, which with `keys` is so many calls of each key; all the rest is in `/stats`. `error`,
 * `last_error` and `oldest_holder` name hosts and places in the program: they are there for requests only that may see
 * `/stats`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Backend = Schema.Struct({
  kind: Schema.String,
  status: Status,
  critical: Schema.Boolean,
  profile: Schema.NullOr(Schema.String),
  latency_ms: Schema.Number,
  active: Schema.Int,
  idle: Schema.Int,
  waiting: Schema.Int,
  max: Schema.Int,
  breaker: Schema.NullOr(Schema.Literals(["closed", "open", "half-open"])),
  limit: Schema.NullOr(Schema.Struct({
    limit: Schema.Number,
    running: Schema.Int,
    waiting: Schema.Int,
    keys: Schema.optionalKey(Schema.Int)
  })),
  error: Schema.optionalKey(Schema.NullOr(Schema.String)),
  last_error: Schema.optionalKey(Schema.NullOr(LastError)),
  oldest_holder: Schema.optionalKey(Schema.NullOr(Holder))
})

/**
 * `/health/pools`, and `/health`: every backend, asked for one round trip. `status` is unhealthy when a critical one is.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Pools = Schema.Struct({ status: Status, backends: Schema.Record(Schema.String, Backend) })

const backendOf = (report: Health.BackendReport, inFull: boolean): typeof Backend.Type => {
  const { breaker, error, last_error, limit, oldest_holder, profile, ...others } = report
  const shown = { ...others, profile: profile ?? null, breaker: breaker ?? null, limit: limit ?? null }
  if (!inFull) return shown
  return {
    ...shown,
    error: error ?? null,
    last_error: last_error ?? null,
    oldest_holder: oldest_holder === undefined ? null : holderOf(oldest_holder)
  }
}

/**
 * A holder, as it is shown.
 *
 * @since 0.1.0
 * @category formatting
 */
export const holderOf = ({ age_ms, label, site }: Health.HolderReport): typeof Holder.Type => ({
  age_ms,
  label: label ?? null,
  site: site ?? null
})

/**
 * A report as `/health/pools` shows it; `inFull` to those who may see `/stats`.
 *
 * @since 0.1.0
 * @category formatting
 */
export const poolsOf = ({ backends, status }: Health.Report, inFull: boolean): typeof Pools.Type => ({
  status,
  backends: Object.fromEntries(Object.entries(backends).map(([label, report]) => [label, backendOf(report, inFull)]))
})
