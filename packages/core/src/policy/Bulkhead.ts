/**
 * Bounds how many calls run at once, and how many wait for their turn.
 *
 * A pooled backend needs none: its pool bounds the calls, and its queue is in order of arrival, priority and key. This
 * one is for backends without a pool, and for keeping one part of a program from taking all of a shared pool; where the
 * right number is not known, `AdaptiveLimit` finds it.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as validate from "../internal/validate.ts"
import { Gate, Turn } from "./internal/gate.ts"
import { type Call, fromStages, implOf, type Policy, type Stage } from "./internal/policy.ts"
import type { Operation } from "./Operation.ts"
import { type BulkheadFull, PolicyError } from "./PolicyError.ts"

export type { BulkheadState } from "./internal/snapshot.ts"

/**
 * How many run, how many wait, for how long and in which order.
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
  /**
   * Which of the waiting calls of a priority comes first:
   * - `"fifo"`, the default: the one that came first
   * - `"adaptive-lifo"`: that too, but the one that came last once the queue has not been empty for 100 milliseconds. In an
   *   overload some calls then get through quickly, instead of all of them being late (B. Maurer, "Fail at Scale", ACM Queue
   *   2015, which has the figure)
   */
  readonly order?: "fifo" | "adaptive-lifo" | undefined
}

class Permits extends Gate<Turn> {
  permits: number
  protected readonly queue: number
  private readonly waitMillis: number
  private readonly adaptive: boolean

  constructor(options: Options) {
    super()
    this.permits = permitsOf(options.permits)
    this.queue = validate.integer("queue", options.queue ?? 0, 0)
    this.waitMillis = validate.boundedMillis("maxWait", options.maxWait ?? "1 second")
    this.adaptive = validate.oneOf("order", options.order ?? "fifo", ["fifo", "adaptive-lifo"]) === "adaptive-lifo"
  }

  resize(permits: number): void {
    this.permits = permits
    this.serve()
  }

  protected turn(call: Call): Turn {
    return new Turn(call)
  }

  protected maxWait(): number {
    return this.waitMillis
  }

  protected newestFirst(): boolean {
    return this.adaptive && this.isStanding
  }

  protected refuse(call: Call): Effect.Effect<never, PolicyError<BulkheadFull>> {
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

const permitsOf = (permits: number): number => validate.integer("permits", permits, 1)

const gates = new WeakMap<Stage, Permits>()

const stage = (permits: Permits): Stage => {
  const made: Stage = {
    kind: "Bulkhead",
    around: (effect, call) => permits.around(effect, call),
    snapshot: () => ({
      bulkhead: { running: permits.running, waiting: permits.waiters.size, permits: permits.permits }
    })
  }
  gates.set(made, permits)
  return made
}

/**
 * A bulkhead of its own, shared by all calls through the policy. Within a priority the keys of the operations take
 * turns. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Policy<PolicyError<BulkheadFull>, Operation, false> =>
  fromStages("bulkhead", [stage(new Permits(options))])

/**
 * Changes how many calls run at once, while they do: with more permits those who wait are served at once, with fewer no
 * call is cut, and the next begin as the running ones end. A policy without a bulkhead stays as it is. Throws a
 * `RangeError` unless `permits` is a whole number of 1 or more.
 *
 * @category combinators
 * @since 0.1.0
 */
export const resize: {
  (permits: number): <E, Op extends Operation, Repeats extends boolean>(
    policy: Policy<E, Op, Repeats>
  ) => Effect.Effect<void>
  <E, Op extends Operation, Repeats extends boolean>(
    policy: Policy<E, Op, Repeats>,
    permits: number
  ): Effect.Effect<void>
} = dual(2, <E, Op extends Operation, Repeats extends boolean>(policy: Policy<E, Op, Repeats>, permits: number) => {
  const wanted = permitsOf(permits)
  return Effect.sync(() => {
    for (const each of implOf(policy).stages) gates.get(each)?.resize(wanted)
  })
})
