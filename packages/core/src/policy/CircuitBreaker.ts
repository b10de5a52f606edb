/**
 * Stops calling a backend that fails, and tries it again with a few calls before it trusts it.
 *
 * It counts attempts, not calls: it stands inside the retry, so that an open circuit ends a retry at once. What says
 * nothing about the backend (`Ignored`: an interruption, a full queue, the caller's deadline) is not counted. A
 * rejection is one shared error until the state changes.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as validate from "../internal/validate.ts"
import { BreakerState, type Settings } from "./internal/breakerState.ts"
import { type Call, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import type { Operation } from "./Operation.ts"
import * as Outcome from "./Outcome.ts"
import { type CircuitOpen, PolicyError } from "./PolicyError.ts"

export type { CircuitState } from "./internal/policy.ts"

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
  /** How long it rejects before it lets calls through again. Default 5 seconds, as in Polly. */
  readonly openFor?: Duration.Input | undefined
  /** Calls let through when half-open; it closes if the share of failures among them is below `failureRate`. Default 3. */
  readonly halfOpenCalls?: number | undefined
  /** How the exit of an attempt counts. Default: `Outcome.fromExit`. */
  readonly classify?: Outcome.Classifier | undefined
}

const share = (option: string, value: number): number =>
  value > 0 && value <= 1 ? value : validate.refuse(option, value, "a number above 0 and at most 1")

const settingsOf = (options: Options): Settings => {
  const window = validate.integer("window", options.window ?? 100, 1)
  return {
    window,
    minimumCalls: validate.integer("minimumCalls", options.minimumCalls ?? Math.min(20, window), 1, window),
    failureRate: share("failureRate", options.failureRate ?? 0.5),
    openFor: validate.boundedMillis("openFor", options.openFor ?? "5 seconds"),
    permits: validate.integer("halfOpenCalls", options.halfOpenCalls ?? Math.min(3, window), 1, window)
  }
}

class Breaker {
  readonly state: BreakerState
  private readonly classify: Outcome.Classifier
  private rejection:
    | { readonly generation: number; readonly exit: Exit.Exit<never, PolicyError<CircuitOpen>> }
    | undefined
  private lastFailure: unknown

  constructor(options: Options) {
    this.state = new BreakerState(settingsOf(options))
    this.classify = options.classify ?? Outcome.fromExit
  }

  around<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    let generation = -1
    // The finalizer goes on the stack before the admission: an interrupt in between must find it.
    return Effect.onExitPrimitive(
      Effect.suspend((): Effect.Effect<A, E | PolicyError, R> => {
        const before = this.state.generation
        if (!this.state.admit(call.now())) return this.reject(call)
        generation = this.state.generation
        return generation === before ? effect : Effect.andThen(this.changed(call), effect)
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
      this.state.record(generation, failed, call.now(), asked)
    }
    return this.state.generation === before ? undefined : this.changed(call)
  }

  private changed(call: Call): Effect.Effect<void> {
    const { state } = this.state
    return call.record(state === "open" ? "circuitOpened" : undefined, (common) => ({
      ...common,
      _tag: "CircuitChanged",
      to: state
    }))
  }

  private reject(call: Call): Effect.Effect<never, PolicyError<CircuitOpen>> {
    const { generation, openUntil, openedAt } = this.state
    if (this.rejection?.generation !== generation) {
      const now = call.now()
      this.rejection = {
        generation,
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
