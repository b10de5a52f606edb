/**
 * Bounds how many calls run at once, and how many wait for their turn.
 *
 * A pooled backend needs none: its pool bounds the calls, and its queue is in order of arrival, priority and key. This
 * one is for backends without a pool, and for keeping one part of a program from taking all of a shared pool; where the
 * right number is not known, `AdaptiveLimit` finds it.
 *
 * With `perKey` every key of an operation (a host, a tenant) has permits and a queue of its own: one that hangs, or asks for
 * too much, takes nothing from the others.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as validate from "../internal/validate.ts"
import { Gate, Turn } from "./internal/gate.ts"
import type { Guard } from "./internal/layers.ts"
import { type Changes, merge } from "./internal/merge.ts"
import { type Call, type Change, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import type { BulkheadState } from "./internal/snapshot.ts"
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
  /**
   * A bulkhead for each key of the operations (`Operation.key`), of at most `max` that are in use at once, by default
   * 1,000; the calls of further keys, and those without a key, share one. Nothing is kept of a key that has no call.
   * Default: one bulkhead for all.
   */
  readonly perKey?: { readonly max?: number | undefined } | undefined
}

/**
 * What `Policy.update` may change. With more permits those who wait are served at once; with fewer no call is cut, and the
 * next begin as the running ones end.
 *
 * @category models
 * @since 0.1.0
 */
export type Settable = Changes<Omit<Options, "perKey">>

interface Settings {
  readonly permits: number
  readonly queue: number
  /** Milliseconds. */
  readonly maxWait: number
  readonly adaptive: boolean
}

/** What all gates of a bulkhead go by. */
interface Shared {
  settings: Settings
}

class Permits extends Gate<Turn> {
  private readonly shared: Shared
  private readonly key: string | undefined

  constructor(shared: Shared, key: string | undefined) {
    super()
    this.shared = shared
    this.key = key
  }

  get permits(): number {
    return this.shared.settings.permits
  }

  protected get queue(): number {
    return this.shared.settings.queue
  }

  protected turn(call: Call): Turn {
    return new Turn(this, call)
  }

  protected maxWait(): number {
    return this.shared.settings.maxWait
  }

  protected newestFirst(): boolean {
    return this.shared.settings.adaptive && this.isStanding
  }

  protected refuse(call: Call): Effect.Effect<never, PolicyError<BulkheadFull>> {
    const error = new PolicyError<BulkheadFull>({
      _tag: "BulkheadFull",
      operation: call.operation.name,
      key: this.key,
      permits: this.permits,
      waiting: this.waiters.size
    })
    call.record("bulkheadRefused", (common) => ({ ...common, _tag: "BulkheadRefused" }))
    return Effect.fail(error)
  }
}

/** Those of one key, which are there for as long as it has a call. */
class PermitsOfKey extends Permits {
  private calls = 0
  private readonly forget: () => void

  constructor(shared: Shared, key: string, forget: () => void) {
    super(shared, key)
    this.forget = forget
  }

  protected override turn(call: Call): Turn {
    this.calls++
    return new TurnOfKey(this, call)
  }

  left(): void {
    if (--this.calls === 0) this.forget()
  }
}

class TurnOfKey extends Turn {
  private readonly permits: PermitsOfKey

  constructor(permits: PermitsOfKey, call: Call) {
    super(permits, call)
    this.permits = permits
  }

  // Counted here and not by its permit: one that is about to wait has neither a permit nor a place in the queue yet.
  override leave(exit: Exit.Exit<unknown, unknown>): undefined {
    super.leave(exit)
    this.permits.left()
  }
}

class Bulkhead {
  private readonly shared: Shared
  private readonly common: Permits
  private readonly keyed = new Map<string, PermitsOfKey>()
  private readonly maxKeys: number
  private options: Omit<Options, "perKey">
  readonly guard: Guard

  constructor({ perKey, ...options }: Options) {
    this.options = options
    this.shared = { settings: settingsOf(options) }
    this.maxKeys = perKey === undefined ? 0 : validate.integer("perKey.max", perKey.max ?? 1000, 1)
    this.common = new Permits(this.shared, undefined)
    this.guard = perKey === undefined
      ? this.common.guard
      : { admit: (passage) => this.permitsOf(passage.call.operation.key).guard.admit(passage) }
  }

  update(changes: Settable): Change {
    const options = merge(this.options, changes)
    const settings = settingsOf(options)
    return {
      apply: () => {
        this.options = options
        this.shared.settings = settings
        for (const permits of this.all()) permits.serve()
      }
    }
  }

  get snapshot(): BulkheadState {
    const all = this.all()
    const sum = (of: (permits: Permits) => number) => all.reduce((total, permits) => total + of(permits), 0)
    return {
      running: sum(({ running }) => running),
      waiting: sum(({ waiters }) => waiters.size),
      permits: this.common.permits,
      ...this.maxKeys > 0 && { keys: this.keyed.size }
    }
  }

  private all(): ReadonlyArray<Permits> {
    return [this.common, ...this.keyed.values()]
  }

  private permitsOf(key: string | undefined): Permits {
    if (key === undefined) return this.common
    const known = this.keyed.get(key)
    if (known !== undefined || this.keyed.size >= this.maxKeys) return known ?? this.common
    const fresh = new PermitsOfKey(this.shared, key, () => this.keyed.delete(key))
    this.keyed.set(key, fresh)
    return fresh
  }
}

const settingsOf = (options: Omit<Options, "perKey">): Settings => ({
  permits: validate.integer("permits", options.permits, 1),
  queue: validate.integer("queue", options.queue ?? 0, 0),
  maxWait: validate.boundedMillis("maxWait", options.maxWait ?? "1 second"),
  adaptive: validate.oneOf("order", options.order ?? "fifo", ["fifo", "adaptive-lifo"]) === "adaptive-lifo"
})

const stage = (bulkhead: Bulkhead): Stage => ({
  kind: "Bulkhead",
  guard: bulkhead.guard,
  snapshot: () => ({ bulkhead: bulkhead.snapshot }),
  update: (changes: Settable) => bulkhead.update(changes)
})

/**
 * A bulkhead of its own, shared by all calls through the policy. Within a priority the keys of the operations take
 * turns. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Policy<PolicyError<BulkheadFull>, Operation, false> =>
  fromStages("bulkhead", [stage(new Bulkhead(options))])
