/**
 * Stops calling a backend that fails, and tries it again with a few calls before it trusts it.
 *
 * It counts attempts, not calls: it stands inside the retry, so that an open circuit ends a retry at once. What says
 * nothing about the backend (`Ignored`: an interruption, a full queue, the caller's deadline) is not counted. A
 * rejection is one shared error until the state changes.
 *
 * It stays open for a tenth of the time that the outage has lasted, or little more: a short outage costs few calls after
 * its end, and a long one few probes. A rejection says when to come back.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Backoff from "../internal/backoff.ts"
import * as validate from "../internal/validate.ts"
import { BreakerState, type Settings } from "./internal/breakerState.ts"
import { type Call, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import type { Operation } from "./Operation.ts"
import * as Outcome from "./Outcome.ts"
import { type CircuitOpen, PolicyError } from "./PolicyError.ts"

export type { CircuitState } from "./internal/snapshot.ts"

/**
 * When it opens, and how it closes again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Attempts looked back on. Default 100, as in resilience4j and Polly. */
  readonly window?: number | undefined
  /** Attempts that must be in the window before it opens. Default 20: fewer say too little of a share of one half. */
  readonly minimumCalls?: number | undefined
  /** Share of failures at which it opens, above 0 and at most 1. Default 0.5, as in resilience4j and opossum. */
  readonly failureRate?: number | undefined
  /**
   * How long it rejects before it lets calls through again: the same each time, or by a schedule that begins anew once it
   * has closed. Where the probes hang, others are let through after as long again. Default: `growing`.
   */
  readonly openFor?: Duration.Input | Schedule.Schedule<unknown> | undefined
  /**
   * Calls let through when half-open; it closes if the share of failures among them is below `failureRate`. Default 3, a
   * choice of ours: one may fail by chance.
   */
  readonly halfOpenCalls?: number | undefined
  /** How the exit of an attempt counts. Default: `Outcome.fromExit`. */
  readonly classify?: Outcome.Classifier | undefined
}

const share = (option: string, value: number): number =>
  value > 0 && value <= 1 ? value : validate.refuse(option, value, "a number above 0 and at most 1")

/**
 * 100 milliseconds at first, each time 9 % longer, up to 5 seconds (the constant of Polly's breaker). Such a time is a
 * share of 0.09 of all before it, so that whoever is back after ten seconds or more is found within a tenth of its
 * absence, at the price of three probes each time.
 *
 * @category schedules
 * @since 0.1.0
 */
export const growing: Schedule.Schedule<Duration.Duration> = Schedule.exponential("100 millis", 1.09).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(5))))
)

/** Milliseconds that it is open at least. */
const LEAST_OPEN = 1

const openForOf = (openFor: Options["openFor"]): Schedule.Schedule<unknown> => {
  if (openFor === undefined) return growing
  return Schedule.isSchedule(openFor) ? openFor : Schedule.spaced(validate.duration("openFor", openFor))
}

const settingsOf = (options: Options): Settings => {
  const window = validate.integer("window", options.window ?? 100, 1)
  return {
    window,
    minimumCalls: validate.integer("minimumCalls", options.minimumCalls ?? Math.min(20, window), 1, window),
    failureRate: share("failureRate", options.failureRate ?? 0.5),
    permits: validate.integer("halfOpenCalls", options.halfOpenCalls ?? Math.min(3, window), 1, window)
  }
}

class Breaker {
  readonly state: BreakerState
  private readonly classify: Outcome.Classifier
  private readonly fresh: Effect.Effect<Backoff.Backoff>
  private backoff: Effect.Effect<Backoff.Backoff>
  private rejection:
    | { readonly until: number; readonly exit: Exit.Exit<never, PolicyError<CircuitOpen>> }
    | undefined
  private lastFailure: unknown

  constructor(options: Options) {
    this.state = new BreakerState(settingsOf(options), LEAST_OPEN)
    this.fresh = this.backoff = Backoff.make(openForOf(options.openFor), LEAST_OPEN)
    this.classify = options.classify ?? Outcome.fromExit
  }

  around<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    return Effect.suspend(() => {
      const { generation, state } = this.state
      if (state === "closed") return Effect.onExitPrimitive(effect, (exit) => this.settle(generation, exit, call))
      return this.state.rejects(call) ? this.reject(call) : this.probe(effect, call)
    })
  }

  private probe<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    let generation = -1
    // The finalizer goes on the stack before the admission takes a permit: an interrupt in between must find it.
    return Effect.onExitPrimitive(
      Effect.suspend((): Effect.Effect<A, E | PolicyError, R> => {
        const { generation: before, openUntil } = this.state
        if (!this.state.admit(call)) return this.reject(call)
        generation = this.state.generation
        if (generation !== before) this.changed(call)
        else if (this.state.openUntil !== openUntil) return Effect.andThen(this.hold, effect)
        return effect
      }),
      (exit) => generation < 0 ? undefined : this.settle(generation, exit, call)
    )
  }

  private settle(generation: number, exit: Exit.Exit<unknown, unknown>, call: Call): Effect.Effect<void> | undefined {
    const outcome = this.classify(exit)
    const before = this.state.generation
    if (outcome._tag === "Ignored") {
      this.state.forget(generation)
    } else {
      const failed = outcome._tag !== "Success"
      if (failed && exit._tag === "Failure") this.lastFailure = firstError(exit)
      const asked = outcome._tag === "Overload" && outcome.retryAfter !== undefined
        ? Duration.toMillis(outcome.retryAfter)
        : 0
      this.state.record(generation, failed, call, asked)
    }
    if (this.state.generation === before) return undefined
    this.changed(call)
    if (this.state.state === "open") return this.hold
    this.backoff = this.fresh
    return undefined
  }

  /** Draws how long the period that has just begun lasts. */
  private readonly hold: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(this.backoff, (backoff) => {
      this.backoff = Effect.succeed(backoff)
      return Effect.map(backoff(this.lastFailure), (millis) => this.state.hold(millis))
    })
  )

  private changed(call: Call): void {
    const { state } = this.state
    call.record(state === "open" ? "circuitOpened" : undefined, (common) => ({
      ...common,
      _tag: "CircuitChanged",
      to: state
    }))
  }

  private reject(call: Call): Effect.Effect<never, PolicyError<CircuitOpen>> {
    const { openUntil, openedAt } = this.state
    if (this.rejection?.until !== openUntil) {
      const now = call.now()
      this.rejection = {
        until: openUntil,
        exit: Exit.fail(
          new PolicyError<CircuitOpen>({
            _tag: "CircuitOpen",
            policy: call.policy.name,
            openFor: Duration.millis(now - openedAt),
            retryAfter: Duration.millis(Math.max(0, openUntil - now)),
            cause: this.lastFailure
          })
        )
      }
    }
    call.policy.counts.circuitRejected++
    return this.rejection.exit
  }
}

const firstError = (exit: Exit.Failure<unknown, unknown>): unknown => {
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return reason.error
    if (reason._tag === "Die") return reason.defect
  }
  return undefined
}

const stage = (breaker: Breaker): Stage => ({
  kind: "CircuitBreaker",
  around: (effect, call) => breaker.around(effect, call),
  snapshot: () => ({ circuit: { state: breaker.state.state, ...breaker.state.tally } })
})

/**
 * A breaker with a state of its own, shared by all calls through the policy. Throws a `RangeError` for options out of
 * range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Policy<PolicyError<CircuitOpen>, Operation, false> =>
  fromStages("breaker", [stage(new Breaker(options))])
