/**
 * Where the pool's decisions become effects: dials, checks and closes, each in a fiber of its own and within a time
 * limit of its own, so that no caller's interruption ends them and none of them is waited for without a bound.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Deadlines } from "../../internal/deadlines.ts"
import { Connection } from "./connection.ts"
import type { Dialer } from "./dialer.ts"
import type { Settings } from "./options.ts"
import type { Edges, PoolState } from "./poolState.ts"

/** After this many milliseconds the slot of a connection that will not close is given back. */
export const CLOSE_TIMEOUT = 5000

export type Fork = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

interface Dial {
  readonly scope: Scope.Closeable
  readonly startedAt: number
  readonly generation: number
  /** Its time is over, or the pool has moved on: what comes of it is closed. */
  ended: boolean
}

export class PoolEdges<A> implements Edges<A> {
  private readonly dials = new Map<Dial, Fiber.Fiber<A, unknown>>()
  private readonly checks = new Set<() => void>()
  private readonly settings: Settings<A>
  private readonly open: (scope: Scope.Scope) => Fiber.Fiber<A, unknown>
  private readonly fork: Fork
  private readonly deadlines: Deadlines
  private readonly dialer: Dialer
  /** Set once, right after both exist: each needs the other. */
  state!: PoolState<A>

  constructor(
    settings: Settings<A>,
    open: (scope: Scope.Scope) => Fiber.Fiber<A, unknown>,
    fork: Fork,
    deadlines: Deadlines,
    dialer: Dialer
  ) {
    this.settings = settings
    this.open = open
    this.fork = fork
    this.deadlines = deadlines
    this.dialer = dialer
  }

  dial(): void {
    const dial: Dial = {
      scope: Scope.makeUnsafe(),
      startedAt: this.deadlines.now(),
      generation: this.state.generation,
      ended: false
    }
    const fiber = this.open(dial.scope)
    this.dials.set(dial, fiber)
    const cancelTimeout = this.deadlines.after(this.settings.dialTimeout, () => this.dialTimedOut(dial, fiber))
    fiber.addObserver((exit) => {
      cancelTimeout()
      this.dials.delete(dial)
      this.dialEnded(dial, exit)
    })
    // `acquire` may itself have moved the pool on before it first waited.
    if (dial.generation !== this.state.generation) this.abortDial(dial, fiber)
  }

  abort(): void {
    // Copies: what ends here may start the next at once, and that one belongs to the new generation.
    for (const [dial, fiber] of Array.from(this.dials)) this.abortDial(dial, fiber)
    for (const abort of Array.from(this.checks)) abort()
  }

  check(connection: Connection<A>): void {
    const test = this.settings.test
    if (test === undefined) return this.state.checked(connection, true)
    let answered = false
    const answer = (passed: boolean) => {
      if (answered) return
      answered = true
      cancelTimeout()
      this.checks.delete(abort)
      this.state.checked(connection, passed)
    }
    const fiber = this.fork(Effect.suspend(() => test(connection.item)))
    const stop = (passed: boolean) => {
      answer(passed)
      fiber.interruptUnsafe()
    }
    const abort = () => stop(true) // nothing is wrong with it, but the pool has moved on and will not lend it
    const cancelTimeout = this.deadlines.after(this.settings.checkTimeout, () => stop(false))
    this.checks.add(abort)
    fiber.addObserver((exit) => answer(Exit.isSuccess(exit)))
    // It may have moved on before the check began, or at the hands of `test` itself.
    if (connection.generation !== this.state.generation) abort()
  }

  close(connection: Connection<A>): void {
    this.closeScope(connection.scope, () => this.state.closed())
  }

  private abortDial(dial: Dial, fiber: Fiber.Fiber<A, unknown>): void {
    if (dial.ended) return
    dial.ended = true
    this.state.dialForsaken()
    fiber.interruptUnsafe()
  }

  private dialTimedOut(dial: Dial, fiber: Fiber.Fiber<A, unknown>): void {
    const cause = new Error(`No connection within ${Duration.format(Duration.millis(this.settings.dialTimeout))}`)
    this.fork(Effect.map(this.dialer.nextDelay(cause), (delay) => {
      if (dial.ended || !this.dials.has(dial)) return
      dial.ended = true
      this.state.dialAbandoned(cause, delay)
      fiber.interruptUnsafe()
    }))
  }

  private dialEnded(dial: Dial, exit: Exit.Exit<A, unknown>): void {
    if (!dial.ended && Exit.isSuccess(exit) && this.settings.isAlive(exit.value)) {
      const connection = new Connection(exit.value, dial.scope, dial.generation)
      return this.state.opened(connection, this.deadlines.now() - dial.startedAt)
    }
    this.closeScope(dial.scope, () => {
      if (dial.ended) return this.state.closed()
      const cause = Exit.isSuccess(exit)
        ? new Error("The connection was dead when it opened")
        : Cause.squash(exit.cause)
      this.fork(Effect.map(this.dialer.nextDelay(cause), (delay) => this.state.dialFailed(cause, delay)))
    })
  }

  private closeScope(scope: Scope.Closeable, done: () => void): void {
    let answered = false
    const answer = () => {
      if (answered) return
      answered = true
      cancelTimeout()
      done()
    }
    const fiber = this.fork(Scope.close(scope, Exit.void))
    const cancelTimeout = this.deadlines.after(CLOSE_TIMEOUT, answer)
    fiber.addObserver(answer)
  }
}
