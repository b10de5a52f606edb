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
import type { Call } from "./policy.ts"

/** One attempt on its way through the gate. */
export class Turn extends Waiter {
  readonly call: Call
  hasPermit = false
  resume: ((exit: Exit.Exit<void>) => void) | undefined

  constructor(call: Call) {
    super(call.operation.priority ?? 0, call.operation.key)
    this.call = call
  }
}

/**
 * Milliseconds for which a queue has to stand until it counts as an overload: the figure of B. Maurer, "Fail at Scale",
 * ACM Queue 2015.
 */
const STANDING = 100

export abstract class Gate<T extends Turn> {
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

  around<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    // A turn for each attempt, and never one for all: a retry runs this several times, a hedge at the same time.
    return Effect.withFiber((fiber) => {
      const turn = this.turn(call, fiber.context)
      // The finalizer goes on the stack before the permit is taken: an interrupt in between must find it.
      return Effect.onExitPrimitive(
        Effect.suspend((): Effect.Effect<A, E | PolicyError, R> => {
          const blocked = this.running >= this.permits
          this.arrived?.(blocked)
          if (!blocked) {
            this.grant(turn)
            return effect
          }
          return this.waiters.size >= this.queue ? this.refuse(call) : Effect.andThen(this.wait(turn), effect)
        }),
        (exit) => {
          if (turn.hasPermit) this.release(turn, exit)
          return undefined
        }
      )
    })
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

  private release(turn: T, exit: Exit.Exit<unknown, unknown>): void {
    this.running--
    this.returned?.(turn, exit)
    if (this.waiters.size > 0) this.serve()
  }
}
