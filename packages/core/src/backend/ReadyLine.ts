/**
 * The one line that a backend writes when it has been made, for authors of backends: what it is, where it leads to, what
 * bounds it and what is done around its calls, so that a log tells what was in force.
 *
 * What is as it usually is, and what there is not, is left out: `keep` where it is `max`, `critical` where it is true, a
 * `pool_type` of `primary`, a limit or a part of the policy that nobody set.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Policy from "../policy/Policy.ts"
import type { Backend } from "./Backend.ts"
import * as Backends from "./Backends.ts"
import * as LogLine from "./LogLine.ts"

/**
 * What the line says beyond what the backend shows of itself. Nothing secret may be in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Where the connections lead to. Default: nothing is said of it. */
  readonly at?: string | undefined
  /** What is done around its calls: each part that it shows is named. Default: nothing is said of any. */
  readonly policy?: Policy.Snapshot | undefined
  /** What only backends of its kind have. */
  readonly facts?: LogLine.Facts | undefined
}

/** A hedge has a budget as a retry has. */
const policyFacts = ({ adaptiveLimit, bulkhead, circuit, ...policy }: Policy.Snapshot): LogLine.Facts => ({
  retry_budget: policy.retryBudget?.balance,
  breaker: circuit?.mode === "automatic" ? circuit.state : circuit?.mode,
  hedge_after: policy.hedgeAfter,
  throttle: policy.throttle && "on",
  rate_limit: policy.rateLimit && "on",
  adaptive_limit: adaptiveLimit?.limit,
  bulkhead: bulkhead?.permits
})

const overridesOf = ({ overrides = [] }: Backend): string | undefined =>
  overrides.length === 0
    ? undefined
    : overrides.map(({ profile, setting, value }) => `${setting} ${value} instead of ${profile}`).join(", ")

/**
 * Whether connections are encrypted, as a fact.
 *
 * @since 0.1.0
 * @category facts
 */
export const tls = (
  encrypted: boolean,
  options?: { readonly rejectUnauthorized?: boolean | undefined }
): "off" | "on" | "on, certificate not checked" => {
  if (!encrypted) return "off"
  return options?.rejectUnauthorized === false ? "on, certificate not checked" : "on"
}

const labelOf = (backend: Backend): Effect.Effect<string> =>
  Effect.map(Backends.list, (entries) => entries.find((one) => one.backend === backend)?.label ?? backend.name)

/**
 * Writes the line at the level `Info`. The backend is registered before, so that the line has its label.
 *
 * @since 0.1.0
 * @category logging
 */
export const write = (backend: Backend, { at, facts, policy }: Options = {}): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { keep, max, min } = yield* backend.stats
    const said = LogLine.pairs({
      max,
      min,
      keep: LogLine.unless(keep, max),
      ...backend.limits,
      ...policy && policyFacts(policy),
      profile: backend.profile,
      overrides: overridesOf(backend),
      critical: LogLine.unless(backend.critical, true),
      pool_type: LogLine.unless(backend.poolType, "primary"),
      ...facts
    })
    const place = at === undefined ? "" : ` at ${LogLine.text(at)}`
    yield* Effect.logInfo(`${LogLine.subject(backend.kind, yield* labelOf(backend))}${place} ready: ${said}`)
  })
