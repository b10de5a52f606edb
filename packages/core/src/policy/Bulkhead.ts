/**
 * Bounds how many calls run at once, and how many wait for their turn.
 *
 * A pooled backend needs none: its pool bounds the calls, and its queue is in order of arrival, priority and key. This
 * one is for backends without a pool, and for keeping one part of a program from taking all of a shared pool.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as validate from "../internal/validate.ts"
import { Waiter, WaitQueue } from "../internal/waitQueue.ts"
import { type Call, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import type { Operation } from "./Operation.ts"
import { type BulkheadFull, PolicyError } from "./PolicyError.ts"

export type { BulkheadState } from "./internal/snapshot.ts"

/**
 * How many run, how many wait, and for how long.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Calls at once. */
  readonly permits: number
  /** Calls that may wait; beyond them a call is refused at once. Default 0. */
  readonly queue?: number | undefined
  /** How long a call waits at most. Default 1 second. */
  readonly maxWait?: Duration.Input | undefined
}

class Turn extends Waiter {
  hasPermit = false
  resume: ((exit: Exit.Exit<void>) => void) | undefined
}

class Permits {
  running = 0
  readonly waiters = new WaitQueue<Turn>()
  readonly permits: number
  private readonly queue: number
  private readonly maxWait: number

  constructor(options: Options) {
    this.permits = validate.integer("permits", options.permits, 1)
    this.queue = validate.integer("queue", options.queue ?? 0, 0)
    this.maxWait = validate.boundedMillis("maxWait", options.maxWait ?? "1 second")
  }

  around<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    // A turn of its own for each attempt: a retry runs this again, and a hedge twice at once.
    return Effect.suspend(() => this.attempt(effect, call))
  }

  private attempt<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    const turn = new Turn(call.operation.priority ?? 0, call.operation.key)
    // The finalizer goes on the stack before the permit is taken: an interrupt in between must find it.
    return Effect.onExitPrimitive(
      Effect.suspend((): Effect.Effect<A, E | PolicyError, R> => {
        if (this.running < this.permits) {
          this.running++
          turn.hasPermit = true
          return effect
        }
        return this.waiters.size >= this.queue ? this.refuse(call) : Effect.andThen(this.wait(turn, call), effect)
      }),
      () => {
        if (turn.hasPermit) this.release()
        return undefined
      }
    )
  }

  private wait(turn: Turn, call: Call): Effect.Effect<void, PolicyError<BulkheadFull>> {
    const served = Effect.callback<void>((resume) => {
      // A permit that came back since the look above is for who asks now.
      if (this.running < this.permits && this.waiters.size === 0) {
        this.running++
        turn.hasPermit = true
        return resume(Effect.void)
      }
      turn.resume = resume
      this.waiters.add(turn)
      return Effect.sync(() => void this.waiters.remove(turn))
    })
    return Effect.timeoutOrElse(served, { duration: this.maxWait, orElse: () => this.refuse(call) })
  }

  private release(): void {
    const next = this.waiters.take()
    if (next === undefined) {
      this.running--
      return
    }
    next.hasPermit = true
    next.resume?.(Exit.void)
  }

  private refuse(call: Call): Effect.Effect<never, PolicyError<BulkheadFull>> {
    const error = new PolicyError<BulkheadFull>({
      _tag: "BulkheadFull",
      operation: call.operation.name,
      permits: this.permits,
      waiting: this.waiters.size
    })
    call.record("bulkheadRefused", (common) => ({ ...common, _tag: "BulkheadRefused" }))
    return Effect.fail(error)
  }
}

const stage = (permits: Permits): Stage => ({
  kind: "Bulkhead",
  around: (effect, call) => permits.around(effect, call),
  snapshot: () => ({
    bulkhead: { running: permits.running, waiting: permits.waiters.size, permits: permits.permits }
  })
})

/**
 * A bulkhead of its own, shared by all calls through the policy. Within a priority the keys of the operations take
 * turns. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Policy<PolicyError<BulkheadFull>, Operation, false> =>
  fromStages("bulkhead", [stage(new Permits(options))])
