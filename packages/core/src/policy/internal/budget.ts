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

/** @internal */
export interface BudgetSettings {
  readonly share: number
  readonly perSecond: number
  readonly burst: number
}

/**
 * A bucket of tokens. Earning needs no clock, since every call earns and few spend.
 *
 * @internal
 */
export class Budget implements RetryBudget {
  readonly [TypeId] = TypeId
  settings: BudgetSettings
  private tokens: number
  /** Monotonic milliseconds up to which the floor is paid out; from the first attempt to spend on. */
  private paidUntil: number | undefined

  constructor(settings: BudgetSettings, tokens: number) {
    this.settings = settings
    this.tokens = tokens
  }

  get share(): number {
    return this.settings.share
  }

  /** Goes on with what has been saved, up to the new burst. */
  configure(changes: Partial<BudgetSettings>): void {
    this.settings = { ...this.settings, ...changes }
    this.add(0)
  }

  earn(): void {
    this.add(this.settings.share)
  }

  /** Takes one token, if there is one. */
  spend(clock: Clock.Clock): boolean {
    const now = monotonicMillis(clock)
    this.add((now - (this.paidUntil ?? now)) * this.settings.perSecond / 1000)
    this.paidUntil = now
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }

  /** For an attempt that never reached the backend. */
  refund(): void {
    this.add(1)
  }

  private add(tokens: number): void {
    this.tokens = Math.min(this.settings.burst, this.tokens + tokens)
  }

  get state(): BudgetState {
    return { balance: this.tokens, share: this.share }
  }
}

/** @internal */
export const budgetOf = (budget: RetryBudget): Budget =>
  // Every budget is made by `RetryBudget.ts`.
  budget as Budget
