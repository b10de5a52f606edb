/**
 * Two attempts at one call, of which the second begins late or never, and the first to answer counts.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { remainingMillis } from "../../internal/ambientDeadline.ts"
import * as Outcome from "../Outcome.ts"
import type { Budget } from "./budget.ts"
import type { Latencies } from "./latencies.ts"
import { type Call, RetryScope } from "./policy.ts"

interface Settings {
  readonly latencies: Latencies
  readonly budget: Budget
  readonly cancelLoser: boolean
  readonly classify: Outcome.Classifier
}

interface Attempt {
  readonly number: 1 | 2
  readonly begunAt: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

export class Race<A, E, R> {
  private readonly settings: Settings
  private readonly call: Call
  private readonly effect: Effect.Effect<A, E, R>
  private readonly context: Context.Context<R>
  private readonly resume: (exit: Exit.Exit<A, E>) => void
  private readonly running = new Set<Attempt>()
  private timer: Fiber.Fiber<void> | undefined
  private isOver = false

  constructor(
    settings: Settings,
    call: Call,
    effect: Effect.Effect<A, E, R>,
    caller: Fiber.Fiber<unknown, unknown>,
    resume: (exit: Exit.Exit<A, E>) => void
  ) {
    this.settings = settings
    this.call = call
    this.effect = effect
    // The caller runs what requires R, hence its context holds it.
    this.context = caller.context as Context.Context<R>
    this.resume = resume
  }

  /** Begins, and gives what to do when the caller is interrupted. */
  start(after: number): Effect.Effect<void> {
    this.attempt(1)
    if (!this.isOver) {
      const late = Effect.andThen(Effect.sleep(after), Effect.sync(() => this.hedge(after)))
      this.timer = Effect.runForkWith(this.context)(late)
    }
    return Effect.suspend(() => {
      this.finish()
      return Fiber.interruptAll(Array.from(this.running, ({ fiber }) => fiber))
    })
  }

  private attempt(number: 1 | 2): void {
    const begunAt = this.call.now()
    const context = Context.add(this.context, RetryScope, { attempt: number, of: 2 })
    const fiber = Effect.runForkWith(context)(this.effect)
    const attempt = { number, begunAt, fiber }
    this.running.add(attempt)
    fiber.addObserver((exit) => this.ended(attempt, exit))
  }

  private hedge(after: number): void {
    const { call, settings } = this
    if (!settings.budget.spend(call.clock)) {
      call.policy.counts.overBudget++
      call.record("hedgesSkipped", (common) => ({ ...common, _tag: "HedgeSkipped", why: "Budget" }))
      return
    }
    call.attempts++
    call.policy.counts.repeats++
    call.record("hedges", (common) => ({ ...common, _tag: "Hedged", after: Duration.millis(after) }))
    this.attempt(2)
  }

  private ended(attempt: Attempt, exit: Exit.Exit<A, E>): void {
    this.running.delete(attempt)
    try {
      this.judge(attempt, exit)
    } catch (defect) {
      // A classifier has thrown, and nobody else would tell the caller. After the end there is nobody to tell.
      if (!this.isOver) this.settle(attempt, Exit.die(defect))
    }
  }

  private judge(attempt: Attempt, exit: Exit.Exit<A, E>): void {
    if (exit._tag === "Success") this.measure(attempt)
    const outcome = this.settings.classify(exit)
    if (attempt.number === 2 && Outcome.neverAsked(outcome)) this.settings.budget.refund()
    if (this.isOver) return
    // A bug is as final as an answer; whatever else goes wrong may go right in the other attempt.
    const isFinal = outcome._tag === "Success" || Exit.hasDies(exit)
    if (isFinal || this.running.size === 0) {
      if (outcome._tag === "Success") this.settings.budget.earn()
      return this.settle(attempt, exit)
    }
    const failure = exit._tag === "Failure" ? exit.cause.reasons.find(Cause.isFailReason) : undefined
    if (failure !== undefined) this.call.lastFailure = failure
  }

  private settle(attempt: Attempt, exit: Exit.Exit<A, E>): void {
    this.finish()
    if (exit._tag === "Success" && attempt.number === 2) {
      this.call.record("hedgesWon", (common) => ({ ...common, _tag: "HedgeWon" }))
    }
    for (const loser of this.running) this.leave(loser)
    this.resume(exit)
  }

  private finish(): void {
    this.isOver = true
    this.call.isAnswered = true
    this.timer?.interruptUnsafe()
  }

  private leave(loser: Attempt): void {
    if (this.settings.cancelLoser) {
      this.measure(loser)
      loser.fiber.interruptUnsafe()
      return
    }
    const left = remainingMillis(this.context)
    if (left === Infinity) return
    // The call has ended, and with it the deadline that would have bounded the loser.
    const end = Effect.timeoutOrElse(Fiber.await(loser.fiber), {
      duration: Math.max(0, left),
      orElse: () => Fiber.interrupt(loser.fiber)
    })
    Effect.runForkWith(this.context)(end)
  }

  // Of one that was cancelled it is known that it takes longer: it counts among the slow ones, as it should.
  private measure({ begunAt, number }: Attempt): void {
    if (number === 1) this.settings.latencies.record(this.call.now() - begunAt)
  }
}
