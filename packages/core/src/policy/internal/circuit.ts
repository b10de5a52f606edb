/**
 * One circuit: the automaton around the calls to one backend, or to one key of it.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Backoff from "../../internal/backoff.ts"
import type * as Outcome from "../Outcome.ts"
import { type CircuitOpen, PolicyError } from "../PolicyError.ts"
import { BreakerState, type Mode, type Settings, type Time } from "./breakerState.ts"
import type { Call } from "./policy.ts"
import type { CircuitState } from "./snapshot.ts"

/** What all circuits of a breaker share. */
export interface Shared {
  readonly settings: Settings
  readonly classify: Outcome.Classifier
  /** Milliseconds from which on an attempt is slow; `Infinity` when none is, and none is timed. */
  readonly slowAfter: number
  /** How long it is open, from the first time on. */
  readonly openFor: Effect.Effect<Backoff.Backoff>
}

/**
 * A circuit changed its state, or was put under command.
 *
 * @category models
 * @since 0.1.0
 */
export interface Transition {
  /** Of the operations, where the breaker keeps a circuit for each. */
  readonly key: string | undefined
  readonly from: CircuitState["state"]
  readonly to: CircuitState["state"]
  readonly mode: Mode
}

/** Milliseconds that it is open at least. */
export const LEAST_OPEN = 1

/** How long the work of an attempt took, told by what stands within the lease to what stands around it. */
interface Timing {
  readonly call: Call
  took: number | undefined
}

const AttemptTiming: Context.Reference<Timing | undefined> = Context.Reference<Timing | undefined>(
  "@breakwater/core/AttemptTiming",
  { defaultValue: () => undefined }
)

/** Times the work of an attempt. */
export const timed = <A, E, R>(work: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const timing = Context.get(fiber.context, AttemptTiming)
    if (timing?.call !== call) return work
    const begunAt = call.now()
    return Effect.onExitPrimitive(work, () => {
      timing.took = call.now() - begunAt
      return undefined
    })
  })

const NEVER_SLOW = () => false

export class Circuit {
  readonly key: string | undefined
  private readonly state: BreakerState
  private shared: Shared
  private readonly publish: (transition: Transition) => void
  private backoff: Effect.Effect<Backoff.Backoff>
  private rejection: Exit.Exit<never, PolicyError<CircuitOpen>> | undefined
  private rejectedUntil = 0
  private lastFailure: unknown

  constructor(shared: Shared, key: string | undefined, mode: Mode, publish: (transition: Transition) => void) {
    this.shared = shared
    this.key = key
    this.publish = publish
    this.backoff = shared.openFor
    this.state = new BreakerState(shared.settings, LEAST_OPEN, mode)
  }

  around<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    if (this.shared.slowAfter !== Infinity) return this.aroundTimed(effect, call)
    return this.guard(effect, call, NEVER_SLOW)
  }

  configure(shared: Shared): void {
    if (shared.openFor !== this.shared.openFor) this.backoff = shared.openFor
    this.shared = shared
    this.state.configure(shared.settings)
  }

  command(mode: Mode, time: Time): void {
    this.changing(() => this.state.command(mode, time))
  }

  reset(time: Time): void {
    this.backoff = this.shared.openFor
    this.lastFailure = undefined
    this.changing(() => this.state.reset(time))
  }

  get snapshot(): CircuitState {
    const { mode, state, tally } = this.state
    return { state, mode, ...tally }
  }

  private aroundTimed<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    return Effect.withFiber((fiber) => {
      // Two breakers around one attempt time it once.
      const outer = Context.get(fiber.context, AttemptTiming)
      const timing: Timing = outer?.call === call ? outer : { call, took: undefined }
      const begunAt = call.now()
      const isSlow = () => (timing.took ?? call.now() - begunAt) >= this.shared.slowAfter
      return this.guard(Effect.provideService(effect, AttemptTiming, timing), call, isSlow)
    })
  }

  private guard<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    call: Call,
    isSlow: () => boolean
  ): Effect.Effect<A, E | PolicyError, R> {
    const { generation, state } = this.state
    if (state === "closed") return Effect.onExitPrimitive(effect, (exit) => this.settle(generation, exit, call, isSlow))
    return this.state.rejects(call) ? this.reject(call) : this.probe(effect, call, isSlow)
  }

  private probe<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    call: Call,
    isSlow: () => boolean
  ): Effect.Effect<A, E | PolicyError, R> {
    let generation = -1
    // The finalizer goes on the stack before the admission takes a permit: an interrupt in between must find it.
    return Effect.onExitPrimitive(
      Effect.suspend((): Effect.Effect<A, E | PolicyError, R> => {
        const { generation: before, openUntil, state } = this.state
        if (!this.state.admit(call)) return this.reject(call)
        generation = this.state.generation
        if (generation !== before) this.changed(state, call)
        else if (this.state.openUntil !== openUntil) return Effect.andThen(this.hold, effect)
        return effect
      }),
      (exit) => generation < 0 ? undefined : this.settle(generation, exit, call, isSlow)
    )
  }

  private settle(
    generation: number,
    exit: Exit.Exit<unknown, unknown>,
    call: Call,
    isSlow: () => boolean
  ): Effect.Effect<void> | undefined {
    const outcome = this.shared.classify(exit)
    const { generation: before, state } = this.state
    if (outcome._tag === "Ignored") {
      this.state.forget(generation)
    } else {
      const failed = outcome._tag !== "Success"
      if (failed && exit._tag === "Failure") this.lastFailure = firstError(exit)
      const asked = outcome._tag === "Overload" && outcome.retryAfter !== undefined
        ? Duration.toMillis(outcome.retryAfter)
        : 0
      this.state.record(generation, failed, isSlow(), call, asked)
    }
    if (this.state.generation === before) return undefined
    this.changed(state, call)
    if (this.state.state === "open") return this.hold
    this.backoff = this.shared.openFor
    return undefined
  }

  /** Draws how long the period that has just begun lasts. */
  private readonly hold: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(this.backoff, (backoff) => {
      this.backoff = Effect.succeed(backoff)
      return Effect.map(backoff(this.lastFailure), (millis) => this.state.hold(millis))
    })
  )

  private changing(change: () => void): void {
    const { generation, mode, state } = this.state
    change()
    if (this.state.generation !== generation || this.state.mode !== mode) this.changed(state)
  }

  private changed(from: CircuitState["state"], call?: Call): void {
    const { mode, state } = this.state
    this.rejection = undefined
    this.publish({ key: this.key, from, to: state, mode })
    call?.recordChange(state === "open" ? "circuitOpened" : undefined, (common) => ({
      ...common,
      _tag: "CircuitChanged",
      key: this.key,
      from,
      to: state
    }))
  }

  private reject(call: Call): Effect.Effect<never, PolicyError<CircuitOpen>> {
    const { openUntil } = this.state
    if (this.rejection === undefined || this.rejectedUntil !== openUntil) {
      const now = call.now()
      this.rejectedUntil = openUntil
      this.rejection = Exit.fail(
        new PolicyError<CircuitOpen>({
          _tag: "CircuitOpen",
          policy: call.policy.name,
          ...this.key !== undefined && { key: this.key },
          openFor: Duration.millis(now - (this.state.openedAt ??= now)),
          retryAfter: Duration.millis(Math.max(0, openUntil - now)),
          cause: this.lastFailure
        })
      )
    }
    call.policy.counts.circuitRejected++
    return this.rejection
  }
}

const firstError = (exit: Exit.Failure<unknown, unknown>): unknown => {
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return reason.error
    if (reason._tag === "Die") return reason.defect
  }
  return undefined
}
