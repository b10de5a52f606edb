/**
 * Repeats a call whose attempt failed, where that is safe and likely to help.
 *
 * What is repeated, by the outcome of the attempt:
 * - `Failure`: when it was surely not sent, always; otherwise only when the operation is idempotent
 * - `Overload`: by the same rule, and only when the backend said when to come back
 * - `Success` and `Ignored`: never. A refusal on our own side, such as a full queue, would only be made worse, and an open
 *   circuit is there to fail fast
 *
 * Interruptions and defects are never repeated. When no further attempt is made the call fails with the error of the
 * last one, unchanged. A retry inside an attempt of another does not repeat, so that layers do not multiply.
 *
 * How often in total, over all callers of a backend, is left to a budget.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { remainingMillis } from "../internal/ambientDeadline.ts"
import * as validate from "../internal/validate.ts"
import { type AttemptOf, type Call, fromStages, type Policy, RetryScope, type Stage } from "./internal/policy.ts"
import type { Idempotent, Operation } from "./Operation.ts"
import * as Outcome from "./Outcome.ts"
import type { RetriesExhausted, RetrySkipped } from "./PolicyEvent.ts"

/**
 * Settings of a retry.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many attempts may follow the first; 0 switches the retry off. */
  readonly times: number
  /** Delays between attempts; its end ends the retry. Default: `fullJitter()`. */
  readonly schedule?: Schedule.Schedule<unknown> | undefined
  /**
   * The longest wait that an overloaded backend may ask for: when it asks for more, its error is returned at once.
   * Default: 30 seconds, a choice of ours; nobody has published one.
   */
  readonly maxRetryAfter?: Duration.Input | undefined
  /** How the exit of an attempt counts. Default: `Outcome.fromExit`. */
  readonly classify?: Outcome.Classifier | undefined
}

/**
 * Delays drawn uniformly from [0, min(`cap`, `base` · 2ⁿ)], n being 0 for the first: "full jitter", which spreads
 * callers that failed together better than a jitter around the exponential does (M. Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog, 2015).
 *
 * Defaults: `base` 100 milliseconds, `cap` 5 seconds. Throws a `RangeError` unless both are finite and longer than zero
 * and `base` is not longer than `cap`.
 *
 * @category schedules
 * @since 0.1.0
 */
export const fullJitter = (options?: {
  readonly base?: Duration.Input | undefined
  readonly cap?: Duration.Input | undefined
}): Schedule.Schedule<Duration.Duration> => {
  const base = validate.duration("base", options?.base ?? "100 millis")
  const cap = validate.duration("cap", options?.cap ?? "5 seconds")
  if (Duration.isGreaterThan(base, cap)) {
    return validate.refuse("base", base, `at most the cap, which is ${Duration.format(cap)}`)
  }
  return Schedule.exponential(base).pipe(
    Schedule.modifyDelay(({ duration }) =>
      Effect.map(Random.next, (share) => Duration.millis(share * Duration.toMillis(Duration.min(duration, cap))))
    )
  )
}

type Mode = "whenSafe" | "anyOperation"

interface Settings {
  readonly mode: Mode
  readonly times: number
  readonly schedule: Schedule.Schedule<unknown>
  readonly maxRetryAfter: Duration.Duration
  readonly classify: Outcome.Classifier
}

const settingsOf = (options: Options, mode: Mode): Settings => ({
  mode,
  times: validate.integer("times", options.times, 0),
  schedule: options.schedule ?? fullJitter(),
  maxRetryAfter: validate.duration("maxRetryAfter", options.maxRetryAfter ?? "30 seconds"),
  classify: options.classify ?? Outcome.fromExit
})

// The error of a cause that a repetition may cure: a bug or an interruption in it is nothing to repeat.
const errorOf = <E>(cause: Cause.Cause<E>): { readonly error: E } | undefined => {
  let first: { readonly error: E } | undefined
  for (const reason of cause.reasons) {
    if (reason._tag !== "Fail") return undefined
    first ??= reason
  }
  return first
}

const whyNot = (
  settings: Settings,
  operation: Operation,
  outcome: Outcome.Failure | Outcome.Overload
): RetrySkipped["why"] | undefined => {
  if (settings.mode === "whenSafe" && outcome.sent !== "no" && !operation.idempotent) return "NotIdempotent"
  if (outcome._tag === "Failure") return undefined
  if (outcome.retryAfter === undefined) return "NoPushback"
  return Duration.isGreaterThan(outcome.retryAfter, settings.maxRetryAfter) ? "PushbackTooLong" : undefined
}

interface Failed extends AttemptOf {
  readonly cause: unknown
}

const skipped = (call: Call, failed: Failed, why: RetrySkipped["why"]): void =>
  call.record("retriesSkipped", (common) => ({ ...common, ...failed, _tag: "RetrySkipped", why }))

/** Waits for the next attempt, said to who listens, unless there is a reason why there is none. */
const wait = (call: Call, failed: Failed, next: number | RetriesExhausted["why"]): Effect.Effect<boolean> => {
  if (typeof next === "string") {
    call.record("retriesExhausted", (common) => ({ ...common, ...failed, _tag: "RetriesExhausted", why: next }))
    return Effect.succeed(false)
  }
  const delay = Duration.millis(next)
  call.record("retries", (common) => ({ ...common, ...failed, _tag: "RetryScheduled", delay }))
  return Effect.as(Effect.sleep(delay), true)
}

const timeLeft = Effect.withFiber((fiber) => Effect.succeed(remainingMillis(fiber.context)))

type Step = (now: number, input: unknown) => Pull.Pull<[unknown, Duration.Duration], never, unknown>

// Milliseconds before the next attempt, or why there is none. A server is never asked again before the time it named;
// the jitter comes on top, so that those it sent away do not all come back at once.
const nextDelay = Effect.fnUntraced(function*(
  step: Step,
  call: Call,
  error: unknown,
  retryAfter: Duration.Duration | undefined
) {
  const next = step(call.clock.currentTimeMillisUnsafe(), error)
  const drawn = yield* Pull.catchDone(Effect.map(next, ([, delay]) => Duration.toMillis(delay)), () => Effect.undefined)
  if (drawn === undefined) return "Schedule" as const
  const delay = drawn + (retryAfter === undefined ? 0 : Duration.toMillis(retryAfter))
  return delay >= (yield* timeLeft) ? "Deadline" as const : delay
})

// Whether there is a next attempt.
const waitForNext = Effect.fnUntraced(function*(
  settings: Settings,
  step: Step,
  call: Call,
  failed: Failed,
  outcome: Outcome.Outcome
) {
  if (outcome._tag === "Success" || outcome._tag === "Ignored") return false
  const why = whyNot(settings, call.operation, outcome)
  if (why !== undefined) {
    skipped(call, failed, why)
    return false
  }
  const retryAfter = outcome._tag === "Overload" ? outcome.retryAfter : undefined
  const next = failed.attempt === failed.of ? "Times" : yield* nextDelay(step, call, failed.cause, retryAfter)
  return yield* wait(call, failed, next)
})

const repeat = Effect.fnUntraced(function*<A, E, R>(
  settings: Settings,
  effect: Effect.Effect<A, E, R>,
  call: Call,
  firstCause: Cause.Cause<E>
) {
  const of = settings.times + 1
  const step = yield* Schedule.toStep(settings.schedule)
  let cause = firstCause
  for (let attempt = 1;; attempt++) {
    const failure = errorOf(cause)
    if (failure === undefined) return yield* Effect.failCause(cause)
    const outcome = settings.classify(Exit.failCause(cause))
    call.attemptFailed(failure.error, outcome)
    const again = yield* waitForNext(settings, step, call, { attempt, of, cause: failure.error }, outcome)
    if (!again) return yield* Effect.failCause(cause)
    call.attempts++
    call.policy.counts.repeats++
    const exit = yield* Effect.exit(Effect.provideService(effect, RetryScope, { attempt: attempt + 1, of }))
    if (exit._tag === "Success") return exit.value
    cause = exit.cause
  }
})

// A failure that this retry would have repeated, had not one further out the right to.
const leaveToOuter = <E>(
  settings: Settings,
  call: Call,
  cause: Cause.Cause<E>,
  outer: AttemptOf
): Effect.Effect<never, E> => {
  const failure = errorOf(cause)
  if (failure === undefined) return Effect.failCause(cause)
  const outcome = settings.classify(Exit.failCause(cause))
  call.attemptFailed(failure.error, outcome)
  if (outcome._tag === "Success" || outcome._tag === "Ignored") return Effect.failCause(cause)
  const why = whyNot(settings, call.operation, outcome) ?? "Nested"
  skipped(call, { ...outer, cause: failure.error }, why)
  return Effect.failCause(cause)
}

const stage = (settings: Settings): Stage => {
  const first: AttemptOf = { attempt: 1, of: settings.times + 1 }
  // Nearly every run begins in the same context as the one before it: what is derived from it is kept.
  let from: Context.Context<never> | undefined
  let derived: Context.Context<never> | undefined
  const enter = <R>(context: Context.Context<R>): Context.Context<R> => {
    if (derived === undefined || context !== from) {
      from = context
      derived = Context.add(context, RetryScope, first)
    }
    // It is `context` with one reference more, which no requirement names.
    return derived as Context.Context<R>
  }
  return {
    kind: "Retry",
    around: (effect, call) =>
      Effect.withFiber((fiber) => {
        const outer = Context.get(fiber.context, RetryScope)
        return outer === undefined
          ? Effect.catchCause(Effect.updateContext(effect, enter), (cause) => repeat(settings, effect, call, cause))
          : Effect.catchCause(effect, (cause) => leaveToOuter(settings, call, cause, outer))
      })
  }
}

const fromMode = <Op extends Operation>(options: Options, mode: Mode): Policy<never, Op, true> => {
  const settings = settingsOf(options, mode)
  return fromStages("retry", settings.times === 0 ? [] : [stage(settings)])
}

/**
 * Repeats idempotent operations; types refuse any other. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Policy<never, Idempotent, true> => fromMode(options, "whenSafe")

/**
 * Accepts every operation and decides at run time: one that is not idempotent is repeated only when it was surely not
 * sent, and skipped otherwise (event `RetrySkipped`). This is the retry of `Policy.make`. Throws a `RangeError` for
 * options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const whenSafe = (options: Options): Policy<never, Operation, true> => fromMode(options, "whenSafe")

/**
 * Repeats every operation, idempotent or not: a call may then take effect more than once. Throws a `RangeError` for
 * options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const anyOperation = (options: Options): Policy<never, Operation, true> => fromMode(options, "anyOperation")
