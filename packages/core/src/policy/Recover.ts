/**
 * Lets a backend clear away what is broken before the next attempt, once for all callers that met it: a server that was
 * restarted leaves a whole pool of dead connections, and each retry would otherwise draw the next one.
 *
 * What is cleared has generations. An attempt belongs to the one that it began in; the first of a generation that fails
 * broken has it cleared, and whoever else fails in it waits for that, as does whoever comes meanwhile. A failure that comes
 * later, of an attempt of a generation that has been cleared since, clears nothing.
 *
 * It stands inside the retry, so that the next attempt begins after it. The clearing goes on when the caller that began it
 * is interrupted. Each circuit inside of it counts one failure of each generation: a server that was
 * restarted leaves a whole pool of dead connections, and is well.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { AmbientDeadline } from "../internal/ambientDeadline.ts"
import * as validate from "../internal/validate.ts"
import {
  type Breakages,
  type Call,
  type Change,
  fromStages,
  type Policy,
  RetryScope,
  type Stage
} from "./internal/policy.ts"
import type { Operation } from "./Operation.ts"

/**
 * What is broken, and how it is cleared away.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Whether an error says that what served the attempt is broken, and its likes probably too. */
  readonly when: (error: unknown) => boolean
  /** Clears it away, such as `Pool.clear`. What it fails with is published, and callers go on. */
  readonly clear: Effect.Effect<void, unknown>
  /** How long it may take, and callers wait for it. Default 1 second, a choice of ours. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * What `Policy.update` may change.
 *
 * @category models
 * @since 0.1.0
 */
export type Settable = Pick<Options, "timeout">

interface Clearing {
  readonly generation: number
  readonly fiber: Fiber.Fiber<void>
}

const timeoutOf = (timeout: Duration.Input): Duration.Duration => validate.duration("timeout", timeout)

class Recovery implements Breakages {
  private generation = 0
  /** The last one of which a circuit has counted a failure: what one has counted is no news to that one only. */
  private readonly counted = new WeakMap<object, number>()
  /** The last one; it is over once its generation is. */
  private clearing: Clearing | undefined
  private readonly when: Options["when"]
  private readonly clear: Options["clear"]
  private timeout: Duration.Duration

  constructor(options: Options) {
    this.when = options.when
    this.clear = options.clear
    this.timeout = timeoutOf(options.timeout ?? "1 second")
  }

  update(settings: Settable): Change {
    const timeout = settings.timeout === undefined ? this.timeout : timeoutOf(settings.timeout)
    return { apply: () => void (this.timeout = timeout) }
  }

  hasCounted(exit: Exit.Exit<unknown, unknown>, generation: number, circuit: object): boolean {
    if (exit._tag === "Success" || !this.isBroken(exit.cause)) return false
    if ((this.counted.get(circuit) ?? -1) >= generation) return true
    this.counted.set(circuit, generation)
    return false
  }

  around<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const running = this.clearing
      return running?.generation === this.generation
        ? Effect.andThen(this.waitFor(running), this.attempt(effect, call))
        : this.attempt(effect, call)
    })
  }

  private attempt<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const { generation } = this
      call.beginIn(this, generation)
      return Effect.catchCause(effect, (cause) =>
        this.isBroken(cause)
          ? Effect.andThen(this.clearOnce(generation, call), Effect.failCause(cause))
          : Effect.failCause(cause))
    })
  }

  private isBroken(cause: Cause.Cause<unknown>): boolean {
    return cause.reasons.some((reason) => reason._tag === "Fail" && this.when(reason.error))
  }

  private clearOnce(generation: number, call: Call): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      if (this.generation !== generation) return Effect.void
      if (this.clearing?.generation !== generation) {
        this.clearing = { generation, fiber: this.start(fiber.context, call) }
      }
      return this.waitFor(this.clearing)
    })
  }

  private start(context: Context.Context<never>, call: Call): Fiber.Fiber<void> {
    const begunAt = call.now()
    const cleared = this.bounded.pipe(
      // It is done for all, not within the time of the one that met it first.
      Effect.provideService(AmbientDeadline, Infinity),
      Effect.provideService(RetryScope, undefined),
      Effect.exit,
      Effect.map((exit) => {
        this.generation++
        const took = Duration.millis(call.now() - begunAt)
        const failure = exit._tag === "Failure" ? Cause.squash(exit.cause) : undefined
        call.record("recoveries", (common) => ({ ...common, _tag: "Recovered", took, failure }))
      })
    )
    return Effect.runForkWith(context)(cleared)
  }

  /** Ends in time even where the clearing cannot be interrupted: of its generation a breaker counts no more. */
  private get bounded(): Effect.Effect<void, unknown> {
    return Effect.flatMap(Effect.forkDetach(this.clear), (clearing) =>
      Effect.onError(
        Effect.timeout(Fiber.join(clearing), this.timeout),
        () => Effect.sync(() => clearing.interruptUnsafe())
      ))
  }

  private waitFor({ fiber }: Clearing): Effect.Effect<void> {
    return Effect.asVoid(Effect.timeoutOption(Fiber.await(fiber), this.timeout))
  }
}

const stage = (recovery: Recovery): Stage => ({
  kind: "Recover",
  around: (effect, call) => recovery.around(effect, call),
  update: (settings: Settable) => recovery.update(settings)
})

/**
 * A recovery shared by all calls through the policy. Throws a `RangeError` for a timeout out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Policy<never, Operation, false> =>
  fromStages("recover", [stage(new Recovery(options))])
