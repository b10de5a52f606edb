/**
 * How many attempts beyond the first all callers of a backend may make together, so that repeating what failed cannot
 * multiply an outage.
 *
 * Every call that succeeds, or fails with what is an answer of the backend, earns a share of an attempt, every retry
 * and every hedge spends one, and a small number a second may be spent whatever the calls come to. One budget belongs
 * to one backend: where several policies lead to the same backend they are given the same budget, and whoever
 * reconnects to it charges it too (`charge`).
 *
 * Refusals on our own side, among them those of a pool whose server is out of reach, neither earn nor spend. A retry that
 * is not made for want of budget fails with the error of the attempt before it.
 *
 * ```ts
 * import { Policy, RetryBudget } from "@breakwater/core"
 *
 * const budget = RetryBudget.make()
 * const reads = Policy.make({ deadline: "2 seconds", hedge: { budget } })
 * const writes = Policy.make({ deadline: "5 seconds", retry: { times: 2, budget } })
 * console.log(Policy.snapshot(reads).retryBudget) // => { balance: 10, share: 0.2 }
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "../internal/ambientDeadline.ts"
import { isUnwanted } from "../internal/unwanted.ts"
import * as validate from "../internal/validate.ts"
import { Budget, budgetOf, type BudgetSettings, type RetryBudget } from "./internal/budget.ts"
import { merge } from "./internal/merge.ts"

export type { RetryBudget } from "./internal/budget.ts"
export type { BudgetState } from "./internal/snapshot.ts"

/**
 * Settings of a budget.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Attempts that each success earns, from 0 to 1. Default 0.2, as in Finagle and Envoy. */
  readonly share?: number | undefined
  /** Attempts a second that need not be earned, 0 or more. Default 10, as in Finagle. */
  readonly perSecond?: number | undefined
  /**
   * The most that can be saved, 1 or more. Default 100, what the AWS SDK for JavaScript gives a client: 500 tokens, of
   * which a retry takes 5.
   */
  readonly burst?: number | undefined
}

const bounded = (option: string, value: number, least: number, most: number): number => {
  if (value >= least && value <= most && Number.isFinite(value)) return value
  return validate.refuse(option, value, most === Infinity ? `${least} or more` : `from ${least} to ${most}`)
}

const DEFAULTS: BudgetSettings = { share: 0.2, perSecond: 10, burst: 100 }

const settingsOf = ({ burst, perSecond, share }: BudgetSettings): BudgetSettings => ({
  share: bounded("share", share, 0, 1),
  perSecond: bounded("perSecond", perSecond, 0, Infinity),
  burst: bounded("burst", burst, 1, Infinity)
})

/**
 * A budget with a second's worth of its floor in it. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): RetryBudget => {
  const settings = settingsOf(merge(DEFAULTS, options))
  return new Budget(settings, Math.min(settings.perSecond, settings.burst))
}

/**
 * Refuses nothing: for calls whose failures say nothing about the backend's load, such as conflicts of transactions.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unlimited: RetryBudget = new Budget({ share: 1, perSecond: 0, burst: Infinity }, Infinity)

/**
 * Changes settings for all that share the budget, and keeps what has been saved, up to the new burst. What is left out
 * stays as it is.
 *
 * Throws a `RangeError` for options out of range, and for `unlimited`, which belongs to everybody.
 *
 * @category combinators
 * @since 0.1.0
 */
export const update = (budget: RetryBudget, changes: Options): void => {
  if (budget === unlimited) validate.refuse("budget", "unlimited", "one that `RetryBudget.make` gave")
  const impl = budgetOf(budget)
  impl.configure(settingsOf(merge(impl.settings, changes)))
}

/**
 * Spends one attempt, and says whether it was there to be spent: for what goes to the backend past its policies, such
 * as the reconnects of a backend.
 *
 * @category combinators
 * @since 0.1.0
 */
export const charge = (budget: RetryBudget): Effect.Effect<boolean> =>
  Effect.clockWith((clock) => Effect.sync(() => budgetOf(budget).spend(clock)))

/** A backend that is back must be found although nobody calls it with success. */
const AT_LEAST_EVERY = 1000

/**
 * What opens a connection, so that each try that follows a failed one spends an attempt. Where none is left it is not
 * made, and fails as the one before; but one a second is made in any case, or nobody would find out that the backend is
 * back. The first that succeeds after one that did not is told by `onBack`, before its connection is used.
 *
 * The effect that comes back is one backend's: it remembers how the last try ended.
 *
 * @category combinators
 * @since 0.1.0
 */
export const reconnecting = <A, E, R>(
  budget: RetryBudget,
  dial: Effect.Effect<A, E, R>,
  onBack: Effect.Effect<void> = Effect.void
): Effect.Effect<A, E, R> => {
  let failed: { readonly cause: Cause.Cause<E> } | undefined
  let reached = true
  let dialledAt = -Infinity
  return Effect.clockWith((clock) =>
    Effect.suspend(() => {
      const now = monotonicMillis(clock)
      const spent = failed === undefined || budgetOf(budget).spend(clock)
      if (failed !== undefined && !spent && now - dialledAt < AT_LEAST_EVERY) return Effect.failCause(failed.cause)
      dialledAt = now
      return Effect.onExitPrimitive(dial, (exit) => {
        const wasReached = reached
        reached = exit._tag === "Success" || (reached && isUnwanted(exit.cause))
        if (exit._tag === "Success") {
          failed = undefined
          return wasReached ? undefined : onBack
        }
        // Who gave a try up says nothing of the backend.
        if (!Cause.hasInterruptsOnly(exit.cause)) failed = exit
        return undefined
      })
    })
  )
}
