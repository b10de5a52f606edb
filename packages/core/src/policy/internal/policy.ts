import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import type * as Types from "effect/Types"
import { monotonicMillis } from "../../internal/ambientDeadline.ts"
import type { EventHub } from "../../internal/eventHub.ts"
import { GiveUp } from "../../internal/giveUp.ts"
import { refuse } from "../../internal/validate.ts"
import type { Operation } from "../Operation.ts"
import type * as Outcome from "../Outcome.ts"
import type { PolicyError } from "../PolicyError.ts"
import type { Common, PolicyEvent } from "../PolicyEvent.ts"
import { type Guard, type Layer, layersOf } from "./layers.ts"
import { type Counts, type Gauges, zeroCounts } from "./snapshot.ts"

/** @internal */
export const TypeId = "~@breakwater/core/Policy"

/**
 * What is done around a call to make it bear failures of its backend. A value: it may be kept, composed, and run any
 * number of times, concurrently too.
 *
 * `E` is what it may fail with of its own, `Op` which operations it accepts, and `Repeats` whether it may run a call
 * more than once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<out E, in Op extends Operation = Operation, out Repeats extends boolean = boolean>
  extends Pipeable
{
  readonly [TypeId]: {
    readonly _E: Types.Covariant<E>
    readonly _Op: Types.Contravariant<Op>
    readonly _Repeats: Types.Covariant<Repeats>
  }
  /** Names the policy in its events. */
  readonly name: string
}

/**
 * One policy as it takes part in a run: `around` is outside the lease, `inside` within it.
 *
 * @internal
 */
export interface Stage {
  readonly kind:
    | "Deadline"
    | "Throttle"
    | "Retry"
    | "Hedge"
    | "CircuitBreaker"
    | "RateLimit"
    | "AdaptiveLimit"
    | "Bulkhead"
    | "Timeout"
    | "Chaos"
    | "Recover"
  /** What time-bound stages are set to, for comparing them. */
  readonly limit?: Duration.Duration | undefined
  /** Runs what it is given once at most. */
  readonly around?: <A, E, R>(effect: Effect.Effect<A, E, R>, call: Call) => Effect.Effect<A, E | PolicyError, R>
  /** In place of `around`, where it may run it more often. */
  readonly repeat?: Layer
  /** Asked before each attempt, inside of `repeat`. */
  readonly guard?: Guard
  readonly inside?: <A, E, R>(work: Effect.Effect<A, E, R>, call: Call) => Effect.Effect<A, E | PolicyError, R>
  readonly snapshot?: () => Gauges
  /** What the stage is made of, for who knows its kind. */
  readonly part?: unknown
  /**
   * Checks settings that are to replace those of the same name, and throws where they are not allowed. `Policy.update`
   * sees to it that they are those of this kind of stage.
   */
  readonly update?: (settings: never) => Change
}

/**
 * Settings that have been checked and are not in force yet.
 *
 * @internal
 */
export interface Change {
  /** What `limit` of the stage will be. */
  readonly limit?: Duration.Duration | undefined
  readonly apply: () => void
}

/** @internal */
export interface PolicyImpl extends Policy<unknown, never> {
  readonly stages: ReadonlyArray<Stage>
  /** What the stages do, innermost first: the order in which a run applies it. */
  readonly layers: ReadonlyArray<Layer>
  readonly insides: ReadonlyArray<NonNullable<Stage["inside"]>>
  /** Whether anybody asks if a request was sent, or has to know when one is about to be. */
  readonly tellsSent: boolean
  readonly counts: Counts
  /** Created by the first listener. */
  hub: EventHub<PolicyEvent> | undefined
  /** Monotonic milliseconds: calls begun before do not know when they began. */
  heardSince: number
}

/**
 * What breaks for many attempts at once, until it is cleared away: each time is a generation.
 *
 * @internal
 */
export interface Breakages {
  /** Whether an exit says what another one of its generation has said to a circuit. From now on it has. */
  hasCounted(exit: Exit.Exit<unknown, unknown>, generation: number, circuit: object): boolean
}

/** That an attempt began in a generation; those of one call that run at once are told apart by their fibers. */
interface Begun {
  readonly recovery: Breakages
  readonly generation: number
  readonly fiber: Fiber.Fiber<unknown, unknown> | undefined
  readonly other: Begun | undefined
}

/**
 * What the stages of one run share.
 *
 * @internal
 */
export class Call {
  readonly policy: PolicyImpl
  readonly operation: Operation
  private readonly context: Context.Context<never>
  /** Monotonic milliseconds, once somebody had to know. */
  startedAt: number | undefined
  attempts = 1
  /** It has been answered: what has not been sent for it is not needed any more. */
  isAnswered = false
  /** Which attempt of its retry it is in; `undefined` without one, and where that leaves the repeating to an outer one. */
  scope: AttemptOf | undefined
  lastFailure: { readonly error: unknown } | undefined
  /** The last attempt that a recovery has let begin. */
  private begun: Begun | undefined
  private inFlight = false
  private settled: Outcome.Sent = "no"

  constructor(policy: PolicyImpl, operation: Operation, fiber: Fiber.Fiber<unknown, unknown>) {
    policy.counts.calls++
    this.policy = policy
    this.operation = operation
    this.context = fiber.context
    // Nobody hears of most calls: they need not read the clock.
    this.startedAt = policy.hub?.publishEach === undefined ? undefined : this.now()
  }

  /** Of the lease that the whole run is inside of, which is not this run's to give up. */
  get outerGiveUp(): (() => void) | undefined {
    return Context.get(this.context, GiveUp)
  }

  /** Of a retry or hedge that the whole run is inside of. */
  get outerAttempt(): AttemptOf | undefined {
    return Context.get(this.context, RetryScope)
  }

  get clock(): Clock.Clock {
    return Context.get(this.context, Clock.Clock)
  }

  now(): number {
    return monotonicMillis(this.clock)
  }

  /** From here on the request may have been sent. */
  begin(): void {
    this.inFlight = true
  }

  /** One attempt failed; what is known of it replaces the doubt of an attempt in flight. */
  attemptFailed(error: unknown, outcome: Outcome.Outcome): void {
    this.lastFailure = { error }
    this.inFlight = false
    const sent = outcome._tag === "Success" ? "yes" : outcome.sent
    if (sent !== "no" && this.settled !== "yes") this.settled = sent
  }

  /** By a recovery, for the attempt that begins. */
  beginIn(recovery: Breakages, generation: number): void {
    const fiber = Fiber.getCurrent()
    const { begun } = this
    this.begun = { recovery, generation, fiber, other: begun?.fiber === fiber ? begun?.other : begun }
  }

  /** Whether a circuit has counted already what an attempt failed with. */
  hasCounted(exit: Exit.Exit<unknown, unknown>, circuit: object): boolean {
    if (exit._tag === "Success" || this.begun === undefined) return false
    const fiber = Fiber.getCurrent()
    let begun: Begun | undefined = this.begun
    while (begun !== undefined && begun.fiber !== fiber) begun = begun.other
    const { generation, recovery } = begun ?? this.begun
    return recovery.hasCounted(exit, generation, circuit)
  }

  get sent(): Outcome.Sent {
    return this.inFlight && this.settled === "no" ? "unknown" : this.settled
  }

  /** Counts and publishes in one step, so that the snapshot and the events agree whenever an interruption comes. */
  record(count: keyof Counts | undefined, event: (common: Common) => PolicyEvent): void {
    const { policy } = this
    if (count !== undefined) policy.counts[count]++
    policy.hub?.publishEach?.(event(this.common))
  }

  /** The same for what changes with this call and lasts longer than it. */
  recordChange(count: keyof Counts | undefined, event: (common: Common) => PolicyEvent): void {
    const { policy } = this
    if (count !== undefined) policy.counts[count]++
    policy.hub?.publish?.(event(this.common))
  }

  private get common(): Common {
    const { heardSince, name } = this.policy
    const elapsed = Duration.millis(this.now() - (this.startedAt ?? heardSince))
    return { policy: name, operation: this.operation.name, elapsed }
  }
}

const Proto = {
  [TypeId]: { _E: identity, _Op: identity, _Repeats: identity },
  pipe() {
    return pipeArguments(this, arguments)
  }
}

const limitsOf = (
  stages: ReadonlyArray<Pick<Stage, "kind" | "limit">>,
  kind: Stage["kind"]
): ReadonlyArray<Duration.Duration> =>
  stages.flatMap((stage) => stage.kind === kind && stage.limit !== undefined ? [stage.limit] : [])

const refuseNotLess = (
  [option, limits]: readonly [string, ReadonlyArray<Duration.Duration>],
  [than, bounds]: readonly [string, ReadonlyArray<Duration.Duration>]
): void => {
  for (const limit of limits) {
    for (const bound of bounds) {
      if (Duration.isGreaterThanOrEqualTo(limit, bound)) {
        refuse(option, limit, `less than the ${than}, which is ${Duration.format(bound)}`)
      }
    }
  }
}

// A timeout beyond the deadline never ends an attempt, and a hedge beyond either of them never begins one.
/** @internal */
export const refuseIdleLimits = (stages: ReadonlyArray<Pick<Stage, "kind" | "limit">>): void => {
  const deadline = ["deadline", limitsOf(stages, "Deadline")] as const
  const timeout = ["timeout", limitsOf(stages, "Timeout")] as const
  const after = ["hedge.after", limitsOf(stages, "Hedge")] as const
  refuseNotLess(timeout, deadline)
  refuseNotLess(after, deadline)
  refuseNotLess(after, timeout)
}

// Types refuse it where they know; within one policy it would go unnoticed, each not knowing of the other.
const refuseTwoRepeats = (stages: ReadonlyArray<Stage>): void => {
  const repeats = stages.filter(({ kind }) => kind === "Retry" || kind === "Hedge").map(({ kind }) =>
    kind.toLowerCase()
  )
  if (repeats.length > 1) {
    throw new RangeError(
      `A policy has a ${repeats.join(" and a ")}; allowed is one of them: both multiply the attempts.`
    )
  }
}

/** @internal */
export const fromStages = <E, Op extends Operation, Repeats extends boolean>(
  name: string,
  stages: ReadonlyArray<Stage>
): Policy<E, Op, Repeats> => {
  refuseIdleLimits(stages)
  refuseTwoRepeats(stages)
  return Object.assign(Object.create(Proto), {
    name,
    stages,
    layers: layersOf(stages),
    insides: stages.flatMap((stage) => stage.inside ?? []).toReversed(),
    tellsSent: stages.some(({ kind }) => kind === "Deadline" || kind === "Hedge"),
    counts: zeroCounts(),
    hub: undefined,
    heardSince: 0
  })
}

/**
 * What the public type hides: only this folder may touch it.
 *
 * @internal
 */
export const implOf = <E, Op extends Operation, Repeats extends boolean>(policy: Policy<E, Op, Repeats>): PolicyImpl =>
  // Every policy is made by `fromStages`.
  policy as unknown as PolicyImpl

/** @internal */
export interface AttemptOf {
  readonly attempt: number
  readonly of: number
}

/**
 * Which attempt of an enclosing retry or hedge the program is in; `undefined` outside of one.
 *
 * @internal
 */
export const RetryScope: Context.Reference<AttemptOf | undefined> = Context.Reference<AttemptOf | undefined>(
  "@breakwater/core/RetryScope",
  { defaultValue: () => undefined }
)

/**
 * Derives the context of an attempt. Nearly every run begins in the same context as the one before it, and with the same
 * first attempt: what is derived from them is kept.
 *
 * @internal
 */
export const entering = (): <R>(context: Context.Context<R>, scope: AttemptOf) => Context.Context<R> => {
  let from: Context.Context<never> | undefined
  let within: AttemptOf | undefined
  let derived: Context.Context<never> | undefined
  return <R>(context: Context.Context<R>, scope: AttemptOf): Context.Context<R> => {
    if (derived === undefined || context !== from || scope !== within) {
      from = context
      within = scope
      derived = Context.add(context, RetryScope, scope)
    }
    // It is `context` with one reference more, which no requirement names.
    return derived as Context.Context<R>
  }
}
