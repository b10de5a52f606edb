import type * as Clock from "effect/Clock"
import { monotonicMillis } from "../../internal/ambientDeadline.ts"
import type { BudgetState } from "./snapshot.ts"

const TypeId = "~@breakwater/core/RetryBudget"

/**
 * A budget, shared by all that it is given to.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryBudget {
  readonly [TypeId]: typeof TypeId
  /** Attempts that each success earns. */
  readonly share: number
}

/**
 * A bucket of tokens. Earning needs no clock, since every call earns and few spend.
 *
 * @internal
 */
export class Budget implements RetryBudget {
  readonly [TypeId] = TypeId
  readonly share: number
  private readonly perMilli: number
  private readonly burst: number
  private tokens: number
  /** Monotonic milliseconds up to which the floor is paid out; from the first attempt to spend on. */
  private paidUntil: number | undefined

  constructor(share: number, perSecond: number, burst: number, tokens: number) {
    this.share = share
    this.perMilli = perSecond / 1000
    this.burst = burst
    this.tokens = tokens
  }

  earn(): void {
    this.tokens = Math.min(this.burst, this.tokens + this.share)
  }

  /** Takes one token, if there is one. */
  spend(clock: Clock.Clock): boolean {
    const now = monotonicMillis(clock)
    this.tokens = Math.min(this.burst, this.tokens + (now - (this.paidUntil ?? now)) * this.perMilli)
    this.paidUntil = now
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }

  /** For an attempt that never reached the backend. */
  refund(): void {
    this.tokens = Math.min(this.burst, this.tokens + 1)
  }

  get state(): BudgetState {
    return { balance: this.tokens, share: this.share }
  }
}

/** @internal */
export const budgetOf = (budget: RetryBudget): Budget =>
  // Every budget is made by `RetryBudget.ts`.
  budget as Budget
