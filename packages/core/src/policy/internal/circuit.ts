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
import * as Outcome from "../Outcome.ts"
import { type CircuitOpen, PolicyError } from "../PolicyError.ts"
import { BreakerState, type Mode, type Settings, type Time } from "./breakerState.ts"
import type { Pass, Passage } from "./layers.ts"
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

/** Lets one attempt through, or many of a generation. */
class Admission implements Pass {
  readonly generation: number
  private readonly circuit: Circuit
  private readonly isSlow: (() => boolean) | undefined

  constructor(circuit: Circuit, generation: number, isSlow?: () => boolean) {
    this.circuit = circuit
    this.generation = generation
    this.isSlow = isSlow
  }

  leave(exit: Exit.Exit<unknown, unknown>, call: Call): Effect.Effect<void> | undefined {
    return this.circuit.settle(this.generation, exit, call, this.isSlow)
  }
}

export class Circuit {
  readonly key: string | undefined
  private readonly state: BreakerState
  private shared: Shared
  private readonly publish: (transition: Transition) => void
  private backoff: Effect.Effect<Backoff.Backoff>
  private admission: Admission
  private rejection: Exit.Failure<never, PolicyError<CircuitOpen>> | undefined
  private rejectedUntil = 0
  private lastFailure: unknown

  constructor(shared: Shared, key: string | undefined, mode: Mode, publish: (transition: Transition) => void) {
    this.shared = shared
    this.key = key
    this.publish = publish
    this.backoff = shared.openFor
    this.state = new BreakerState(shared.settings, LEAST_OPEN, mode)
    this.admission = new Admission(this, this.state.generation)
  }

  /** What is known without taking one of the permits: nearly always all. */
  decide(call: Call): Pass | Exit.Failure<never, PolicyError<CircuitOpen>> | undefined {
    if (this.state.state === "closed") return this.shared.slowAfter === Infinity ? this.common() : undefined
    return this.state.rejects(call) ? this.reject(call) : undefined
  }

  admit(passage: Passage): Effect.Effect<void, PolicyError> | undefined {
    const { generation: before, openUntil, state } = this.state
    if (!this.state.admit(passage.call)) return this.reject(passage.call)
    passage.hold(this.shared.slowAfter === Infinity ? this.common() : this.timed(passage))
    if (this.state.generation !== before) this.changed(state, passage.call)
    else if (this.state.openUntil !== openUntil) return this.hold
    return undefined
  }

  configure(shared: Shared): void {
    if (shared.openFor !== this.shared.openFor) this.backoff = shared.openFor
    this.shared = shared
    this.state.configure(shared.settings)
  }

  command(mode: Mode, time: Time): void {
    this.changing(() => this.state.command(mode, time))
  }

  probe(time: Time): void {
    this.state.probe(time)
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

  /** The one of this generation. */
  private common(): Admission {
    const { generation } = this.state
    return this.admission.generation === generation
      ? this.admission
      : this.admission = new Admission(this, generation)
  }

  private timed(passage: Passage): Admission {
    const { call, context } = passage
    // Two breakers around one attempt time it once.
    const outer = Context.get(context, AttemptTiming)
    const timing: Timing = outer?.call === call ? outer : { call, took: undefined }
    const begunAt = call.now()
    passage.provide(Context.add(context, AttemptTiming, timing))
    return new Admission(
      this,
      this.state.generation,
      () => (timing.took ?? call.now() - begunAt) >= this.shared.slowAfter
    )
  }

  settle(
    generation: number,
    exit: Exit.Exit<unknown, unknown>,
    call: Call,
    isSlow: (() => boolean) | undefined
  ): Effect.Effect<void> | undefined {
    const outcome = this.shared.classify(exit)
    const { generation: before, state } = this.state
    // What began before the circuit changed is not counted: it must not stand for what is.
    if (generation !== before) return undefined
    if (Outcome.tellsNothing(outcome) || call.hasCounted(exit, this)) {
      this.state.forget(generation)
    } else {
      const failed = outcome._tag !== "Success"
      if (failed && exit._tag === "Failure") this.lastFailure = firstError(exit)
      const asked = outcome._tag === "Overload" && outcome.retryAfter !== undefined
        ? Duration.toMillis(outcome.retryAfter)
        : 0
      this.state.record(generation, failed, isSlow?.() ?? false, call, asked)
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

  private reject(call: Call): Exit.Failure<never, PolicyError<CircuitOpen>> {
    const { openUntil } = this.state
    if (this.rejection === undefined || this.rejectedUntil !== openUntil) {
      const now = call.now()
      this.rejectedUntil = openUntil
      this.rejection = failure(
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

const failure = <E>(error: E): Exit.Failure<never, E> =>
  // What `fail` makes is one, which its type does not say.
  Exit.fail(error) as Exit.Failure<never, E>

const firstError = (exit: Exit.Failure<unknown, unknown>): unknown => {
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return reason.error
    if (reason._tag === "Die") return reason.defect
  }
  return undefined
}
