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

/** @internal */
export const kindOf = (part: Part): Stage["kind"] => parts[part].kind

const absent = (option: string, policy: string): never => {
  throw new RangeError(`Option "${option}" is to change in "${policy}"; allowed is what the policy was made with.`)
}

/**
 * Checks everything before it changes anything.
 *
 * @internal
 */
export const update = (policy: PolicyImpl, changes: Update): void => {
  const pending = new Map<Stage, Change>()
  for (const [option, given] of Object.entries(changes)) {
    if (given === undefined) continue
    const part = partOf(option)
    const stages = policy.stages.filter((stage) => stage.kind === part?.kind && stage.update !== undefined)
    if (stages.length === 0) absent(option, policy.name)
    for (const stage of stages) {
      // The settings are those of the kind, by the type of `Update`.
      const check = () => stage.update?.(given as never)
      const change = part?.isGroup === true ? within(option, check) : check()
      if (change !== undefined) pending.set(stage, change)
    }
  }
  refuseIdleLimits(policy.stages.map((stage) => ({ kind: stage.kind, limit: limitOf(stage, pending.get(stage)) })))
  for (const change of pending.values()) change.apply()
}

const limitOf = (stage: Stage, change: Change | undefined): Duration.Duration | undefined =>
  change?.limit ?? stage.limit
