import type * as Duration from "effect/Duration"
import type * as Bulkhead from "../Bulkhead.ts"
import type * as CircuitBreaker from "../CircuitBreaker.ts"
import type * as Retry from "../Retry.ts"
import { type Change, type PolicyImpl, refuseIdleLimits, type Stage } from "./policy.ts"

/**
 * Settings to change; those that are left out stay as they are.
 *
 * @category models
 * @since 0.1.0
 */
export interface Update {
  readonly deadline?: Duration.Input | undefined
  readonly timeout?: Duration.Input | undefined
  readonly retry?: Retry.Settable | undefined
  readonly breaker?: CircuitBreaker.Settable | undefined
  readonly bulkhead?: Bulkhead.Settable | undefined
}

const kinds: { readonly [K in keyof Update]-?: Stage["kind"] } = {
  deadline: "Deadline",
  timeout: "Timeout",
  retry: "Retry",
  breaker: "CircuitBreaker",
  bulkhead: "Bulkhead"
}

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
    const stages = policy.stages.filter(({ kind }) => kind === Reflect.get(kinds, option))
    if (stages.length === 0) absent(option, policy.name)
    for (const stage of stages) {
      // The settings are those of the kind, by the type of `Update`.
      const change = stage.update?.(given as never)
      if (change !== undefined) pending.set(stage, change)
    }
  }
  refuseIdleLimits(policy.stages.map((stage) => ({ kind: stage.kind, ...limitOf(stage, pending.get(stage)) })))
  for (const change of pending.values()) change.apply()
}

const limitOf = (stage: Stage, change: Change | undefined): Pick<Stage, "limit"> => {
  const limit = change?.limit ?? stage.limit
  return limit === undefined ? {} : { limit }
}
