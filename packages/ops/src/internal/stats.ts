/**
 * The numbers of all backends, put together for `/stats`. Asks no server: whoever watches does not disturb.
 *
 * @internal
 */
import type { Backend, Detail, Limits } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as Health from "@breakwater/core/Health"
import type * as Lifecycle from "@breakwater/core/Lifecycle"
import * as Monotonic from "@breakwater/core/Monotonic"
import type * as CorePolicy from "@breakwater/core/Policy"
import * as CorePool from "@breakwater/core/Pool"
import * as Sizing from "@breakwater/core/Sizing"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as GuideStats from "../GuideStats.ts"
import { holderOf } from "../OpsHealth.ts"
import type * as OpsStats from "../OpsStats.ts"
import type { HealthChecks } from "./health.ts"
import type { Windows } from "./window.ts"

export interface Sources {
  readonly service: string
  /** Monotonic milliseconds. */
  readonly startedAt: number
  readonly phase: Effect.Effect<Lifecycle.Phase | null>
  readonly windows: Windows
  readonly checks: HealthChecks
}

const seconds = (duration: Duration.Duration): string => `${Math.round(Duration.toMillis(duration)) / 1000}s`

/** In the words of the guides. */
export const poolInfo = (max: number, { dial, wait }: Limits = {}): string =>
  [
    `Limit: ${max}`,
    ...(wait === undefined ? [] : [`Pool Timeout: ${seconds(wait)}`]),
    ...(dial === undefined ? [] : [`Connect Timeout: ${seconds(dial)}`])
  ].join(", ")

const millisOf = (duration: Duration.Duration | undefined): number | null =>
  duration === undefined ? null : Duration.toMillis(duration)

const limitsOf = ({ deadline, dial, timeout, wait }: Limits = {}): typeof OpsStats.Backend.Type["limits_ms"] => ({
  wait: millisOf(wait),
  dial: millisOf(dial),
  timeout: millisOf(timeout),
  deadline: millisOf(deadline)
})

const limitOf = ({ unloaded, ...limit }: NonNullable<CorePolicy.Snapshot["adaptiveLimit"]>) => ({
  ...limit,
  unloaded_ms: unloaded === undefined ? null : Duration.toMillis(unloaded)
})

const policyOf = ({ adaptiveLimit, hedgeAfter, ...others }: CorePolicy.Snapshot): typeof OpsStats.Policy.Type => ({
  ...others,
  ...(adaptiveLimit === undefined ? {} : { adaptiveLimit: limitOf(adaptiveLimit) }),
  ...(hedgeAfter === undefined ? {} : { hedgeAfter_ms: Duration.toMillis(hedgeAfter) })
})

const nothing = { times: {}, holders: [], lastError: undefined }

/** Its rules are those of database servers, which cannot have many connections. */
const sizingOf = (
  windows: Windows,
  backend: Backend,
  pool: CorePool.Stats,
  now: { readonly at: number; readonly times: Detail["times"] },
  known: Effect.Success<NonNullable<Backend["situation"]>>
): typeof OpsStats.Backend.Type["sizing"] => {
  if (backend.kind !== "postgres") return null
  const observed = windows.observed(backend, { ...now, timedOut: pool.timedOut })
  if (observed === undefined) return null
  const { change, findings, limit } = Sizing.fromStats(pool, observed, known)
  return { limit, change, findings }
}

const backendStats = (
  { checks, windows }: Sources,
  label: string,
  backend: Backend,
  guided: boolean
): Effect.Effect<typeof OpsStats.Backend.Type> =>
  Effect.gen(function*() {
    const pool = yield* backend.stats
    const { holders, lastError, times } = yield* backend.detail ?? Effect.succeed(nothing)
    return {
      kind: backend.kind,
      critical: backend.critical,
      profile: backend.profile ?? null,
      overrides: backend.overrides ?? [],
      pool_info: poolInfo(pool.max, backend.limits),
      limits_ms: limitsOf(backend.limits),
      pool,
      policy: policyOf(yield* backend.policy),
      times: windows.quantiles(backend, times),
      sizing: sizingOf(
        windows,
        backend,
        pool,
        { at: yield* Clock.currentTimeMillis, times },
        yield* backend.situation ?? Effect.succeed({})
      ),
      share_held_idle: windows.shareHeldIdle(backend, times),
      share_reused: pool.acquired === 0 ? null : pool.reused / pool.acquired,
      holders: holders.map((holder) => holderOf(Health.holderReport(holder))),
      last_error: lastError === undefined
        ? null
        : { at: lastError.at, message: Health.messageOf(lastError.error) },
      health: checks.last.get(label) ?? null,
      ...(guided && { guide: yield* GuideStats.of(backend) })
    }
  })

// They are the keys of an object with these keys and no others.
const counted = Object.keys(CorePool.emptyStats) as ReadonlyArray<keyof CorePool.Stats>

export const totalsOf = (pools: ReadonlyArray<CorePool.Stats>): typeof OpsStats.Totals.Type => {
  const totals: { -readonly [K in keyof CorePool.Stats]: number } = { ...CorePool.emptyStats }
  for (const pool of pools) for (const name of counted) totals[name] += pool[name]
  return { backends: pools.length, ...totals }
}

/** The one that all have which have any. */
const commonProfile = (backends: ReadonlyArray<{ readonly profile: string | null }>): string | null => {
  const profiles = new Set(backends.flatMap(({ profile }) => profile ?? []))
  const [first] = profiles
  return profiles.size === 1 && first !== undefined ? first : null
}

/** `guided`: also under the names of the guides. */
export const collect = (sources: Sources, guided = false): Effect.Effect<typeof OpsStats.Stats.Type> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const entries = yield* Effect.forEach(
      yield* Backends.list,
      ({ backend, label }) =>
        Effect.map(backendStats(sources, label, backend, guided), (stats) => [label, stats] as const)
    )
    const backends = entries.map(([, stats]) => stats)
    return {
      service: sources.service,
      at: clock.currentTimeMillisUnsafe(),
      uptime_ms: Math.round(Monotonic.millis(clock) - sources.startedAt),
      phase: yield* sources.phase,
      profile: commonProfile(backends),
      totals: totalsOf(backends.map(({ pool }) => pool)),
      backends: Object.fromEntries(entries)
    }
  })
