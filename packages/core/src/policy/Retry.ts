/**
 * Repeats a call whose attempt failed, where that is safe and likely to help.
 *
 * What is repeated, by the outcome of the attempt:
 * - `Failure`: when it was surely not sent, always; otherwise only when the operation is idempotent. A pool whose server has
 *   gone out of reach holds calls off: such a call comes again after the usual delay, at no cost to the budget, unless
 *   that has lasted for so long that it is of no use
 * - `Overload`: by the same rule, and only when the backend said when to come back
 * - `Success` and `Ignored`: never. A refusal on our own side, such as a full queue, would only be made worse, and an
 *   open circuit is there to fail fast
 *
 * Interruptions and defects are never repeated. When no further attempt is made the call fails with the error of the
 * last one, unchanged; `attemptsOf` reads from its cause how many there were. A retry inside an attempt of another does
 * not repeat, so that layers do not multiply.
 *
 * How often in total, over all callers of a backend, is for a `RetryBudget` to say. Where a deadline is set, no attempt
 * is begun that would not end before it: none whose delay and usual duration, a running mean of those that succeeded,
 * are longer than the time left.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { remainingMillis } from "../internal/ambientDeadline.ts"
import * as validate from "../internal/validate.ts"
import { AttemptTime } from "./internal/attemptTime.ts"
import { type Budget, budgetOf } from "./internal/budget.ts"
import { errorOf } from "./internal/failure.ts"
import { anew, type Guard, layered, type Pass } from "./internal/layers.ts"
import { type Changes, merge } from "./internal/merge.ts"
import { type AttemptOf, type Call, entering, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import type { Idempotent, Operation } from "./Operation.ts"
import * as Outcome from "./Outcome.ts"
import type { RetriesExhausted, RetrySkipped } from "./PolicyEvent.ts"
import * as RetryBudget from "./RetryBudget.ts"

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
  /**
   * What retries are charged to. Default: one of its own, `RetryBudget.make()`; give the same one to every policy that
   * leads to the same backend.
   */
  readonly budget?: RetryBudget.RetryBudget | undefined
  /** How the exit of an attempt counts. Default: `Outcome.fromExit`. */
  readonly classify?: Outcome.Classifier | undefined
}

/**
 * What `Policy.update` may change.
 *
 * @category models
 * @since 0.1.0
 */
export type Settable = Changes<Pick<Options, "times" | "schedule" | "maxRetryAfter">>

const boundsOf = (options: {
  readonly base?: Duration.Input | undefined
  readonly cap?: Duration.Input | undefined
} = {}): readonly [base: number, cap: number] => {
  const base = validate.duration("base", options.base ?? "100 millis")
  const cap = validate.duration("cap", options.cap ?? "2 seconds")
  if (Duration.isGreaterThan(base, cap)) {
    return validate.refuse("base", base, `at most the cap, which is ${Duration.format(cap)}`)
  }
  return [Duration.toMillis(base), Duration.toMillis(cap)]
}

/**
 * Delays drawn uniformly from [0, min(`cap`, `base` · 2ⁿ)], n being 0 for the first: "full jitter", which spreads
 * callers that failed together better than a jitter around the exponential does (M. Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog, 2015).
 *
 * Defaults: `base` 100 milliseconds, `cap` 2 seconds, the cap of that article: with a longer one the last of many that
 * failed together comes back late. Throws a `RangeError` unless both are finite and longer than zero
 * and `base` is not longer than `cap`.
 *
 * @category schedules
 * @since 0.1.0
 */
export const fullJitter = (options?: {
  readonly base?: Duration.Input | undefined
  readonly cap?: Duration.Input | undefined
}): Schedule.Schedule<Duration.Duration> => {
  const [base, cap] = boundsOf(options)
  return Schedule.exponential(base).pipe(
    Schedule.modifyDelay(({ duration }) =>
      Effect.map(Random.next, (share) => Duration.millis(share * Math.min(Duration.toMillis(duration), cap)))
    )
  )
}

/**
 * Delays drawn uniformly from [`base`, 3 · the delay before], never above `cap`: "decorrelated jitter", the first being
 * drawn from [`base`, 3 · `base`] (same source as `fullJitter`). It never draws less than `base`, where full jitter may
 * come back at once.
 *
 * Defaults and errors as in `fullJitter`.
 *
 * @category schedules
 * @since 0.1.0
 */
export const decorrelatedJitter = (options?: {
  readonly base?: Duration.Input | undefined
  readonly cap?: Duration.Input | undefined
}): Schedule.Schedule<Duration.Duration> => {
  const [base, cap] = boundsOf(options)
  return Schedule.fromStep(Effect.sync(() => {
    let previous = base
    return () =>
      Effect.map(Random.next, (share): [Duration.Duration, Duration.Duration] => {
        previous = Math.min(cap, base + share * (3 * previous - base))
        const delay = Duration.millis(previous)
        return [delay, delay]
      })
  }))
}

/**
 * Three retries with the default schedule: after 0.1, 0.2 and 0.4 seconds at most. For requests, whose callers wait.
 *
 * @category presets
 * @since 0.1.0
 */
export const prompt: Omit<Options, "classify"> = { times: 3 }

/**
 * Three retries, each after twice the time of the one before: 1, 2 and 4 seconds at most, with full jitter. For work
 * that nobody waits for, such as a job.
 *
 * @category presets
 * @since 0.1.0
 */
export const patient: Omit<Options, "classify"> = {
  times: 3,
  schedule: fullJitter({ base: "1 second", cap: "4 seconds" })
}

/**
 * What a retry came to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attempts {
  /** Attempts made, the first included. */
  readonly made: number
  /** How many there might have been. */
  readonly of: number
  /**
   * Time since the call began, where a deadline or a listener had it measured; otherwise since its first attempt
   * failed.
   */
  readonly elapsed: Duration.Duration
}

const AttemptsMade = Context.Service<Attempts>("@breakwater/core/Retry/Attempts")

/**
 * How many attempts a call made that failed with this cause, and how long they took; none when it was made once only.
 *
 * It is read from the cause, since the error itself is the work's own and may be shared by many calls.
 *
 * @category getters
 * @since 0.1.0
 */
export const attemptsOf = <E>(cause: Cause.Cause<E>): Option.Option<Attempts> =>
  Context.getOption(Cause.annotations(cause), AttemptsMade)

type Mode = "whenSafe" | "anyOperation"

interface Settings {
  readonly mode: Mode
  readonly times: number
  readonly schedule: Schedule.Schedule<unknown>
  readonly maxRetryAfter: Duration.Duration
  readonly budget: Budget
  readonly attemptTime: AttemptTime
  readonly classify: Outcome.Classifier
}

const settingsOf = (options: Options, mode: Mode): Settings => ({
  mode,
  times: validate.integer("times", options.times, 0),
  schedule: options.schedule ?? fullJitter(),
  maxRetryAfter: validate.duration("maxRetryAfter", options.maxRetryAfter ?? "30 seconds"),
  budget: budgetOf(options.budget ?? RetryBudget.make()),
  attemptTime: new AttemptTime(),
  classify: options.classify ?? Outcome.fromExit
})

const mayHelp = (outcome: Outcome.Outcome): outcome is Outcome.Failure | Outcome.Overload =>
  outcome._tag === "Overload" || (outcome._tag === "Failure" && outcome.lasting !== true)

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
const wait = (
  { budget }: Settings,
  call: Call,
  failed: Failed,
  next: number | RetriesExhausted["why"],
  asked: boolean
): Effect.Effect<boolean> => {
  if (typeof next === "string") {
    call.record("retriesExhausted", (common) => ({ ...common, ...failed, _tag: "RetriesExhausted", why: next }))
    return Effect.succeed(false)
  }
  const delay = Duration.millis(next)
  call.record("retries", (common) => ({ ...common, ...failed, _tag: "RetryScheduled", delay }))
  const slept = Effect.as(Effect.sleep(delay), true)
  return asked ? Effect.onInterrupt(slept, () => Effect.sync(() => budget.refund())) : slept
}

const timeLeft = Effect.withFiber((fiber) => Effect.succeed(remainingMillis(fiber.context)))

type Step = (now: number, input: unknown) => Pull.Pull<[unknown, Duration.Duration], never, unknown>

// Milliseconds before the next attempt, or why there is none. A server is never asked again before the time it named;
// the jitter comes on top, so that those it sent away do not all come back at once.
const nextDelay = Effect.fnUntraced(function*(
  settings: Settings,
  step: Step,
  call: Call,
  error: unknown,
  outcome: Outcome.Failure | Outcome.Overload,
  asked: boolean
) {
  const next = step(call.clock.currentTimeMillisUnsafe(), error)
  const drawn = yield* Pull.catchDone(Effect.map(next, ([, delay]) => Duration.toMillis(delay)), () => Effect.undefined)
  if (drawn === undefined) return "Schedule" as const
  const retryAfter = outcome._tag === "Overload" ? outcome.retryAfter : undefined
  const delay = drawn + (retryAfter === undefined ? 0 : Duration.toMillis(retryAfter))
  if (delay + settings.attemptTime.expected >= (yield* timeLeft)) return "Deadline" as const
  // Who was not let to the backend has not had a first attempt there.
  if (!asked || settings.budget.spend(call.clock)) return delay
  call.policy.counts.overBudget++
  return "Budget" as const
})

// Whether there is a next attempt. The budget pays for it where the call has been at the backend: it was `asked`.
const waitForNext = Effect.fnUntraced(function*(
  settings: Settings,
  step: Step,
  call: Call,
  failed: Failed,
  outcome: Outcome.Outcome,
  asked: boolean
) {
  if (!mayHelp(outcome)) return false
  const why = whyNot(settings, call.operation, outcome)
  if (why !== undefined) {
    skipped(call, failed, why)
    return false
  }
  const next = failed.attempt === failed.of
    ? "Times"
    : yield* nextDelay(settings, step, call, failed.cause, outcome, asked)
  return yield* wait(settings, call, failed, next, asked)
})

const withAttempts = <E>(call: Call, made: number, of: number, cause: Cause.Cause<E>): Cause.Cause<E> => {
  if (made === 1) return cause
  const elapsed = Duration.millis(call.now() - (call.startedAt ?? 0))
  return Cause.annotate(cause, Context.make(AttemptsMade, { made, of, elapsed }), { overwrite: true })
}

/** What an attempt failed with, and how that counts. */
interface Verdict {
  readonly error: unknown
  readonly outcome: Outcome.Outcome
}

// How a failed attempt counts, or nothing where it failed by a bug or an interruption.
const judge = <E>(settings: Settings, call: Call, cause: Cause.Cause<E>): Verdict | undefined => {
  const failure = errorOf(cause)
  if (failure === undefined) return undefined
  const { error } = failure
  const outcome = settings.classify(Exit.failCause(cause))
  call.attemptFailed(error, outcome)
  if (outcome._tag === "Success") settings.budget.earn()
  return { error, outcome }
}

const repeat = Effect.fnUntraced(function*<A, E, R>(
  settings: Settings,
  effect: Effect.Effect<A, E, R>,
  call: Call,
  firstCause: Cause.Cause<E>,
  first: Verdict
) {
  const of = settings.times + 1
  call.startedAt ??= call.now()
  const step = yield* Schedule.toStep(settings.schedule)
  let cause = firstCause
  let verdict: Verdict | undefined = first
  let asked = false
  for (let attempt = 1; verdict !== undefined; attempt++) {
    const { error, outcome } = verdict
    if (!Outcome.neverAsked(outcome)) asked = true
    else if (asked) settings.budget.refund()
    const failed = { attempt, of, cause: error }
    const again: boolean = yield* waitForNext(settings, step, call, failed, outcome, asked)
    if (!again) return yield* Effect.failCause(withAttempts(call, attempt, of, cause))
    call.attempts++
    call.scope = { attempt: attempt + 1, of }
    call.policy.counts.repeats++
    const exit = yield* Effect.exit(effect)
    if (exit._tag === "Success") return exit.value
    cause = exit.cause
    verdict = judge(settings, call, cause)
  }
  return yield* Effect.failCause(cause)
})

interface Repeatable extends Verdict {
  readonly outcome: Outcome.Failure | Outcome.Overload
}

const isRepeatable = (verdict: Verdict): verdict is Repeatable => mayHelp(verdict.outcome)

// A failure that this retry would have repeated, had not one further out the right to.
const leaveToOuter = <E>(
  settings: Settings,
  call: Call,
  cause: Cause.Cause<E>,
  { error, outcome }: Repeatable,
  outer: AttemptOf
): Effect.Effect<never, E> => {
  skipped(call, { ...outer, cause: error }, whyNot(settings, call.operation, outcome) ?? "Nested")
  return Effect.failCause(cause)
}

/** Hears of the attempts that succeed, and says which they are. */
const attempts = ({ attemptTime, budget }: Settings): Guard => {
  const enter = entering()
  const earning: Pass = {
    leave: (exit) => {
      if (exit._tag === "Success") budget.earn()
      return undefined
    }
  }
  const measuring = (begunAt: number): Pass => ({
    leave: (exit, call) => {
      if (exit._tag === "Success") attemptTime.record(call.now() - begunAt)
      return earning.leave(exit, call)
    }
  })
  return {
    admit: (passage) => {
      const { call } = passage
      const { scope } = call
      if (scope !== undefined) passage.provide(enter(passage.context, scope))
      const isMeasured = scope !== undefined && (scope.attempt > 1 || attemptTime.isDue())
      passage.hold(isMeasured ? measuring(call.now()) : earning)
      return undefined
    }
  }
}

const stage = (initial: Settings, options: Options): Stage => {
  let settings = initial
  let given = options
  let first: AttemptOf = { attempt: 1, of: settings.times + 1 }
  const { attemptTime, budget } = settings
  return {
    kind: "Retry",
    repeat: (work, depth, call) => {
      const begun = settings
      const outer = call.outerAttempt
      if (outer === undefined) call.scope = first
      return Effect.catchCause(layered(work, depth, call), (cause) => {
        const verdict = judge(begun, call, cause)
        if (verdict === undefined || !isRepeatable(verdict)) return Effect.failCause(cause)
        if (outer !== undefined) return leaveToOuter(begun, call, cause, verdict, outer)
        return repeat(begun, anew(work, depth, call), call, cause, verdict)
      })
    },
    guard: attempts(settings),
    update: (changed: Settable) => {
      const next = merge(given, changed)
      const replaced = { ...settingsOf(next, initial.mode), attemptTime, budget }
      return {
        apply: () => {
          given = next
          settings = replaced
          first = { attempt: 1, of: settings.times + 1 }
        }
      }
    },
    snapshot: () => ({ retryBudget: budget.state })
  }
}

const fromMode = <Op extends Operation>(options: Options, mode: Mode): Policy<never, Op, true> => {
  const settings = settingsOf(options, mode)
  return fromStages("retry", settings.times === 0 ? [] : [stage(settings, options)])
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
