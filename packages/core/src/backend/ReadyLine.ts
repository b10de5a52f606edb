/**
 * The one line that a backend writes when it has been made, for authors of backends: a short message, and beside it what
 * bounds the backend and what is done around its calls, so that a log tells what was in force.
 *
 * They are annotations with values that are no objects: Effect's JSON logger has them as fields, its logfmt logger as
 * `wait=10s`. Times are text, `10s`; what there is no limit of is `none`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Policy from "../policy/Policy.ts"
import type * as Pool from "../pool/Pool.ts"
import type { Backend } from "./Backend.ts"
import * as Backends from "./Backends.ts"

/**
 * What is said of something, by its name in snake case. `undefined` shows as `none`.
 *
 * @since 0.1.0
 * @category models
 */
export type Facts = Readonly<Record<string, string | number | boolean | Duration.Duration | undefined>>

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
  readonly facts?: Facts | undefined
}

/** The two that most have are named where they are missing, too. A hedge has a budget as a retry has. */
const policyFacts = (snapshot: Policy.Snapshot): Facts => {
  const { adaptiveLimit, bulkhead, circuit, hedgeAfter, rateLimit, retryBudget, throttle } = snapshot
  return {
    retry_budget: retryBudget?.balance,
    breaker: circuit?.mode === "automatic" ? circuit.state : circuit?.mode,
    ...hedgeAfter && { hedge_after: hedgeAfter },
    ...throttle && { throttle: "on" },
    ...rateLimit && { rate_limit: "on" },
    ...adaptiveLimit && { adaptive_limit: adaptiveLimit.limit },
    ...bulkhead && { bulkhead: bulkhead.permits }
  }
}

const sizeFacts = ({ keep, max, min }: Pool.Stats): Facts => ({ max, min, keep })

const overridesOf = ({ overrides = [] }: Backend): Facts =>
  overrides.length === 0
    ? {}
    : {
      overrides: overrides.map(({ profile, setting, value }) => `${setting} ${value} instead of ${profile}`).join(", ")
    }

const shown = (facts: Facts): Record<string, string | number | boolean> =>
  Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      Duration.isDuration(value) ? Duration.format(value) : value ?? "none"
    ])
  )

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
export const write = (backend: Backend, { at, facts = {}, policy }: Options = {}): Effect.Effect<void> =>
  Effect.gen(function*() {
    const stats = yield* backend.stats
    const label = yield* labelOf(backend)
    const { critical, kind, limits = {}, poolType = "primary", profile } = backend
    const annotations = shown({
      backend: label,
      kind,
      critical,
      profile,
      pool_type: poolType,
      ...overridesOf(backend),
      ...sizeFacts(stats),
      ...limits,
      ...policy === undefined ? {} : policyFacts(policy),
      ...facts
    })
    const place = at === undefined ? "" : ` at ${at}`
    yield* Effect.annotateLogs(
      Effect.logInfo(`${kind} "${label}"${place}: max ${stats.max}, min ${stats.min}`),
      annotations
    )
  })
