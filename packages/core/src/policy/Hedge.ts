/**
 * Asks a second time when the first attempt is slower than nearly all others are, and takes the answer that comes
 * first: for the rare calls that meet a stalled server, a lost packet or a pause of a garbage collector.
 *
 * The second attempt begins after a fixed time or, better, after the percentile of the latencies measured that goes
 * with the extra load allowed: at 5 % extra load, when 95 of 100 calls would have been answered. It is charged to the
 * same budget as retries are, so that a backend that is slow as a whole is not asked twice.
 *
 * A hedge does not repeat what failed: an attempt that fails alone ends the call, one that fails beside another leaves
 * it to that one. Only idempotent operations are hedged. There is either a hedge or a retry, and within an attempt of
 * another hedge or retry there is none.
 *
 * The slower attempt goes on to its own end, or to the deadline of the call, unless `cancelLoser` is set: with many
 * protocols an interrupted call costs its connection, and a new one costs more than the answer. One whose work has not
 * begun by then, since it waits for a connection, does not begin it.
 *
 * ```ts
 * import { Hedge, Operation, Policy } from "@breakwater/core"
 * import { Effect } from "effect"
 *
 * const read = Operation.make("greeting.read", { idempotent: true })
 * let calls = 0
 * const late = Effect.delay(Effect.succeed("late"), "500 millis")
 * const stalled = Effect.suspend(() => ++calls === 1 ? late : Effect.succeed("soon"))
 *
 * const policy = Hedge.make({ after: "20 millis", cancelLoser: true })
 * console.log(await Effect.runPromise(Policy.apply(stalled, policy, read))) // => soon
 * console.log(Policy.snapshot(policy).hedgesWon) // => 1
 * ```
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as validate from "../internal/validate.ts"
import { type Budget, budgetOf } from "./internal/budget.ts"
import { Latencies } from "./internal/latencies.ts"
import { anew, layered } from "./internal/layers.ts"
import { merge } from "./internal/merge.ts"
import { type AttemptOf, type Call, entering, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import { Race } from "./internal/race.ts"
import type { Idempotent, Operation } from "./Operation.ts"
import * as Outcome from "./Outcome.ts"
import type { PolicyError } from "./PolicyError.ts"
import type { HedgeSkipped } from "./PolicyEvent.ts"
import * as RetryBudget from "./RetryBudget.ts"

/**
 * Settings of a hedge.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * When the second attempt begins: before a timeout or a deadline that the hedge is composed with. Default: once the
   * first has taken longer than `1 - extraLoad` of the last two thousand calls or so did; until so many are measured
   * that five were slower, none begins.
   */
  readonly after?: Duration.Input | undefined
  /**
   * The share of calls that may be asked a second time, above 0 and below 1. Default 0.05, from J. Dean and L. A.
   * Barroso, "The Tail at Scale", Communications of the ACM, 2013.
   */
  readonly extraLoad?: number | undefined
  /**
   * What second attempts are charged to; its share is at least `extraLoad`, or the calls that would be slow anyway
   * would use it up. Default: one of its own that earns `extraLoad`. Give the same one to every policy that leads to
   * the same backend.
   */
  readonly budget?: RetryBudget.RetryBudget | undefined
  /** Whether the slower attempt is interrupted: for work that is cheap to cancel. Default: no. */
  readonly cancelLoser?: boolean | undefined
  /** How the exit of an attempt counts. Default: `Outcome.fromExit`. */
  readonly classify?: Outcome.Classifier | undefined
}

/**
 * What `Policy.update` may change. With another `extraLoad` the latencies measured and the balance of the budget are kept;
 * a budget of its own earns by the new one from then on, one that was given has to be large enough for it.
 *
 * @category models
 * @since 0.1.0
 */
export type Settable = Pick<Options, "after" | "extraLoad" | "cancelLoser">

interface Settings {
  readonly after: number | undefined
  readonly extraLoad: number
  readonly cancelLoser: boolean
}

/** What outlives a change of the settings. */
interface State {
  readonly latencies: Latencies
  readonly budget: Budget
  readonly ownsBudget: boolean
  readonly classify: Outcome.Classifier
}

/** Calls slower than the percentile that must have been measured before it is believed. */
const SLOW_CALLS = 5

const settingsOf = (options: Options): Settings => {
  const extraLoad = options.extraLoad ?? 0.05
  if (!(extraLoad > 0 && extraLoad < 1)) validate.refuse("extraLoad", extraLoad, "a number above 0 and below 1")
  const { budget } = options
  if (budget !== undefined && extraLoad > budget.share) {
    validate.refuse("extraLoad", extraLoad, `at most the share of the budget, which is ${budget.share}`)
  }
  return {
    after: options.after === undefined ? undefined : validate.boundedMillis("after", options.after),
    extraLoad,
    cancelLoser: options.cancelLoser ?? false
  }
}

/**
 * What a hedge with these settings is charged to: for what else leads to its backend. Without a budget among them it is a
 * new one, which has to be given to the hedge, too. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const budget = (options: Options = {}): RetryBudget.RetryBudget => {
  const { extraLoad } = settingsOf(options)
  return options.budget ?? RetryBudget.make({ share: extraLoad })
}

const stateOf = (options: Options, { extraLoad }: Settings): State => ({
  latencies: new Latencies(1 - extraLoad, SLOW_CALLS / extraLoad),
  budget: budgetOf(budget(options)),
  ownsBudget: options.budget === undefined,
  classify: options.classify ?? Outcome.fromExit
})

const limitOf = ({ after }: Settings): Duration.Duration | undefined =>
  after === undefined ? undefined : Duration.millis(after)

const first: AttemptOf = { attempt: 1, of: 2 }

const skipped = (call: Call, why: HedgeSkipped["why"]): void =>
  call.record("hedgesSkipped", (common) => ({ ...common, _tag: "HedgeSkipped", why }))

const stage = (options: Options): Stage => {
  let given = options
  let settings = settingsOf(options)
  const state = stateOf(options, settings)
  const { budget: shared, classify, latencies } = state
  const enter = entering()
  // An error that is an answer shows the backend to be well, too.
  const earning = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.onExitPrimitive(effect, (exit) => {
      if (classify(exit)._tag === "Success") shared.earn()
      return undefined
    })
  const measured = <A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E, R> => {
    const begunAt = call.now()
    return Effect.tap(
      Effect.updateContext(effect, (context: Context.Context<R>) => enter(context, first)),
      () => Effect.sync(() => latencies.record(call.now() - begunAt))
    )
  }
  const delay = () => settings.after ?? latencies.percentile
  return {
    kind: "Hedge",
    get limit() {
      return limitOf(settings)
    },
    update: (changed: Settable) => {
      const merged = merge(given, changed)
      const replaced = settingsOf(merged)
      return {
        limit: limitOf(replaced),
        apply: () => {
          if (replaced.extraLoad !== settings.extraLoad) {
            latencies.configure(1 - replaced.extraLoad, SLOW_CALLS / replaced.extraLoad)
            if (state.ownsBudget) shared.configure({ share: replaced.extraLoad })
          }
          given = merged
          settings = replaced
        }
      }
    },
    repeat: <A, E, R>(work: Effect.Effect<A, E, R>, depth: number, call: Call) =>
      Effect.withFiber((fiber) => {
        const nested = call.outerAttempt !== undefined
        if (nested || !call.operation.idempotent) {
          skipped(call, nested ? "Nested" : "NotIdempotent")
          return earning(layered(work, depth, call))
        }
        const after = delay()
        if (after === undefined) return earning(measured(layered(work, depth, call), call))
        const effect = anew(work, depth, call)
        const race = { latencies, budget: shared, classify, cancelLoser: settings.cancelLoser }
        return Effect.callback<A, E | PolicyError, R>((resume) =>
          new Race(race, call, effect, fiber, resume).start(after)
        )
      }),
    snapshot: () => {
      const after = delay()
      return { retryBudget: shared.state, ...after !== undefined && { hedgeAfter: Duration.millis(after) } }
    }
  }
}

/**
 * Hedges idempotent operations; types refuse any other. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Policy<never, Idempotent, true> => fromStages("hedge", [stage(options)])

/**
 * Accepts every operation and decides at run time: one that is not idempotent is asked once (event `HedgeSkipped`).
 * This is the hedge of `Policy.make`. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const whenSafe = (options: Options = {}): Policy<never, Operation, true> => fromStages("hedge", [stage(options)])
