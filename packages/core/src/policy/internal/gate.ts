/**
 * Lets so many calls run at once, and a bounded number of others wait for their turn for a bounded time. How many, for
 * how long and in which order is for those to say that extend it, and may change at any time.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Waiter, WaitQueue } from "../../internal/waitQueue.ts"
import type { PolicyError } from "../PolicyError.ts"
import type { Guard, Pass } from "./layers.ts"
import type { Call } from "./policy.ts"

/** One attempt on its way through the gate. */
export class Turn extends Waiter implements Pass {
  readonly call: Call
  hasPermit = false
  resume: ((exit: Exit.Exit<void>) => void) | undefined
  private readonly gate: Releases

  constructor(gate: Releases, call: Call) {
    super(call.operation.priority ?? 0, call.operation.key)
    this.gate = gate
    this.call = call
  }

  leave(exit: Exit.Exit<unknown, unknown>): undefined {
    if (this.hasPermit) this.gate.release(this, exit)
  }
}

/** A gate, to the turns that it made itself. */
interface Releases {
  release(turn: Turn, exit: Exit.Exit<unknown, unknown>): void
}

/**
 * Milliseconds for which a queue has to stand until it counts as an overload: the figure of B. Maurer, "Fail at Scale",
 * ACM Queue 2015.
 */
const STANDING = 100

export abstract class Gate<T extends Turn> implements Releases {
  running = 0
  readonly waiters = new WaitQueue<T>()
  private serving = false
  /** Monotonic milliseconds: since when somebody has been waiting, and when the last one began to. */
  private waitingSince = 0
  private lastWait = 0

  /** Calls that may run at once, now. */
  abstract get permits(): number
  /** Calls that may wait. */
  protected abstract get queue(): number
  protected abstract turn(call: Call, context: Context.Context<never>): T
  protected abstract refuse(call: Call): Effect.Effect<never, PolicyError>
  /** For how many milliseconds a call may wait that begins to. */
  protected abstract maxWait(): number
  /** Whether the newest waiter is served first, now. */
  protected abstract newestFirst(): boolean
  /** A call came, and there was a permit for it or not. */
  protected arrived?(blocked: boolean): void
  /** A call got its permit. */
  protected granted?(turn: T): void
  /** A call gave its permit back. */
  protected returned?(turn: T, exit: Exit.Exit<unknown, unknown>): void

  /** Whether the queue has not been empty for a while. */
  protected get isStanding(): boolean {
    return this.waiters.size > 0 && this.lastWait - this.waitingSince >= STANDING
  }

  // A turn for each attempt, and never one for all: a retry asks several times, a hedge at the same time.
  readonly guard: Guard = {
    admit: (passage) => {
      const turn = this.turn(passage.call, passage.context)
      passage.hold(turn)
      // While those are served who wait, a permit is for them, and not for who has just been served and asks again.
      const blocked = this.running >= this.permits || (this.serving && this.waiters.size > 0)
      this.arrived?.(blocked)
      if (blocked) return this.waiters.size >= this.queue ? this.refuse(passage.call) : this.wait(turn)
      this.grant(turn)
      return undefined
    }
  }

  /** Gives free permits to those who wait: for when there are more of them. */
  serve(): void {
    // Who is resumed runs at once, and may be back before this goes on: it then only leaves its permit here.
    if (this.serving) return
    this.serving = true
    try {
      while (this.running < this.permits) {
        const next = this.waiters.take(this.newestFirst())
        if (next === undefined) break
        this.grant(next)
        next.resume?.(Exit.void)
      }
    } finally {
      this.serving = false
    }
  }

  private grant(turn: T): void {
    this.running++
    turn.hasPermit = true
    this.granted?.(turn)
  }

  private wait(turn: T): Effect.Effect<void, PolicyError> {
    this.lastWait = turn.call.now()
    if (this.waiters.size === 0) this.waitingSince = this.lastWait
    const served = Effect.callback<void>((resume) => {
      // A permit that came back since the look above is for who asks now.
      if (this.running < this.permits && this.waiters.size === 0) {
        this.grant(turn)
        return resume(Effect.void)
      }
      turn.resume = resume
      this.waiters.add(turn)
      return Effect.sync(() => void this.waiters.remove(turn))
    })
    return Effect.timeoutOrElse(served, { duration: this.maxWait(), orElse: () => this.refuse(turn.call) })
  }

  release(turn: T, exit: Exit.Exit<unknown, unknown>): void {
    this.running--
    try {
      this.returned?.(turn, exit)
    } finally {
      // Also where a classifier has thrown.
      if (this.waiters.size > 0) this.serve()
    }
  }
}
