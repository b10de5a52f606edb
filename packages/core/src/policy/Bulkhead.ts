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
import * as validate from "../internal/validate.ts"
import { Gate, Turn } from "./internal/gate.ts"
import { type Changes, merge } from "./internal/merge.ts"
import { type Call, fromStages, type Policy, type Stage } from "./internal/policy.ts"
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

/**
 * What `Policy.update` may change. With more permits those who wait are served at once; with fewer no call is cut, and the
 * next begin as the running ones end.
 *
 * @category models
 * @since 0.1.0
 */
export type Settable = Changes<Options>

interface Settings {
  readonly permits: number
  readonly queue: number
  /** Milliseconds. */
  readonly maxWait: number
  readonly adaptive: boolean
}

class Permits extends Gate<Turn> {
  settings: Settings

  constructor(settings: Settings) {
    super()
    this.settings = settings
  }

  get permits(): number {
    return this.settings.permits
  }

  protected get queue(): number {
    return this.settings.queue
  }

  protected turn(call: Call): Turn {
    return new Turn(this, call)
  }

  protected maxWait(): number {
    return this.settings.maxWait
  }

  protected newestFirst(): boolean {
    return this.settings.adaptive && this.isStanding
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

const settingsOf = (options: Options): Settings => ({
  permits: validate.integer("permits", options.permits, 1),
  queue: validate.integer("queue", options.queue ?? 0, 0),
  maxWait: validate.boundedMillis("maxWait", options.maxWait ?? "1 second"),
  adaptive: validate.oneOf("order", options.order ?? "fifo", ["fifo", "adaptive-lifo"]) === "adaptive-lifo"
})

const stage = (options: Options): Stage => {
  const permits = new Permits(settingsOf(options))
  let given = options
  return {
    kind: "Bulkhead",
    guard: permits.guard,
    snapshot: () => ({
      bulkhead: { running: permits.running, waiting: permits.waiters.size, permits: permits.permits }
    }),
    update: (changed: Settable) => {
      const next = merge(given, changed)
      const replaced = settingsOf(next)
      return {
        apply: () => {
          given = next
          permits.settings = replaced
          permits.serve()
        }
      }
    }
  }
}

/**
 * A bulkhead of its own, shared by all calls through the policy. Within a priority the keys of the operations take
 * turns. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Policy<PolicyError<BulkheadFull>, Operation, false> =>
  fromStages("bulkhead", [stage(options)])
