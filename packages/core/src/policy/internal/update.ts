import type * as Duration from "effect/Duration"
import { within } from "../../internal/validate.ts"
import type * as AdaptiveLimit from "../AdaptiveLimit.ts"
import type * as Bulkhead from "../Bulkhead.ts"
import type * as Chaos from "../Chaos.ts"
import type * as CircuitBreaker from "../CircuitBreaker.ts"
import type * as Hedge from "../Hedge.ts"
import type * as RateLimit from "../RateLimit.ts"
import type * as Recover from "../Recover.ts"
import type * as Retry from "../Retry.ts"
import type * as Throttle from "../Throttle.ts"
import { merge } from "./merge.ts"
import { type Change, type PolicyImpl, refuseIdleLimits, type Stage } from "./policy.ts"

/**
 * Settings to change, by the names that `Options` has for them; those that are left out stay as they are.
 *
 * @category models
 * @since 0.1.0
 */
export interface Update {
  readonly deadline?: Duration.Input | undefined
  readonly throttle?: Throttle.Settable | undefined
  readonly timeout?: Duration.Input | undefined
  readonly retry?: Retry.Settable | undefined
  readonly hedge?: Hedge.Settable | undefined
  readonly recover?: Recover.Settable | undefined
  readonly breaker?: CircuitBreaker.Settable | undefined
  readonly rateLimit?: RateLimit.Settable | undefined
  readonly adaptiveLimit?: AdaptiveLimit.Settable | undefined
  readonly bulkhead?: Bulkhead.Settable | undefined
  readonly chaos?: Chaos.Settable | undefined
}

/**
 * A part of a policy, by the name that `Options` has for it.
 *
 * @category models
 * @since 0.1.0
 */
export type Part = keyof Update

interface Target {
  readonly kind: Stage["kind"]
  /** Whether its option is a group of settings, which its errors name by their path. */
  readonly isGroup: boolean
}

const group = (kind: Stage["kind"]): Target => ({ kind, isGroup: true })

const parts: { readonly [K in Part]: Target } = {
  deadline: { kind: "Deadline", isGroup: false },
  throttle: group("Throttle"),
  timeout: { kind: "Timeout", isGroup: false },
  retry: group("Retry"),
  hedge: group("Hedge"),
  recover: group("Recover"),
  breaker: group("CircuitBreaker"),
  rateLimit: group("RateLimit"),
  adaptiveLimit: group("AdaptiveLimit"),
  bulkhead: group("Bulkhead"),
  chaos: group("Chaos")
}

const partOf = (option: string): Target | undefined =>
  // Callers without types may give any name.
  Object.hasOwn(parts, option) ? parts[option as Part] : undefined

/**
 * One or more.
 *
 * @internal
 */
export type Together<A> = readonly [A, ...ReadonlyArray<A>]

/** @internal */
export const kindOf = (part: Part): Stage["kind"] => parts[part].kind

const absent = (option: string, policy: string): never => {
  throw new RangeError(`Option "${option}" is to change in "${policy}"; allowed is what the policy was made with.`)
}

/**
 * Checks everything before it changes anything. A part changes in each policy that has it, once where they share it.
 *
 * @internal
 */
export const update = (policies: Together<PolicyImpl>, changes: Update): void => {
  const all = Array.from(new Set(policies.flatMap(({ stages }) => stages)))
  const pending = new Map<Stage, Change>()
  for (const [option, given] of Object.entries(changes)) {
    if (given === undefined) continue
    const part = partOf(option)
    const stages = all.filter((stage) => stage.kind === part?.kind && stage.update !== undefined)
    if (stages.length === 0) absent(option, policies[0].name)
    for (const stage of stages) {
      // The settings are those of the kind, by the type of `Update`.
      const check = () => stage.update?.(given as never)
      const change = part?.isGroup === true ? within(option, check) : check()
      if (change !== undefined) pending.set(stage, change)
    }
  }
  for (const { stages } of policies) {
    refuseIdleLimits(stages.map((stage) => ({ kind: stage.kind, limit: limitOf(stage, pending.get(stage)) })))
  }
  for (const change of pending.values()) change.apply()
}

const limitOf = (stage: Stage, change: Change | undefined): Duration.Duration | undefined =>
  change?.limit ?? stage.limit

/**
 * Two updates as one, of which the second comes later: for what is made after both, and is to be as what was changed.
 *
 * @category combinators
 * @since 0.1.0
 */
export const mergeUpdates = (first: Update, then: Update): Update => {
  const groups = Object.entries(then).flatMap(([option, given]) => {
    const before = Object.entries(first).find(([other]) => other === option)?.[1]
    const isGroup = partOf(option)?.isGroup === true && before !== undefined && given !== undefined
    return isGroup ? [[option, merge<object>(before, given)] as const] : []
  })
  const limit = { ...first.adaptiveLimit?.limit, ...merge({}, then.adaptiveLimit?.limit ?? {}) }
  const merged: Update = { ...merge(first, then), ...Object.fromEntries(groups) }
  return merged.adaptiveLimit === undefined ? merged : { ...merged, adaptiveLimit: { ...merged.adaptiveLimit, limit } }
}
