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
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Deadlines } from "../../internal/deadlines.ts"
import { unwanted } from "../../internal/unwanted.ts"
import { Connection } from "./connection.ts"
import type { Dialer } from "./dialer.ts"
import type { Settings } from "./options.ts"
import type { Edges, PoolState } from "./poolState.ts"

/** After this many milliseconds the slot of a connection that will not close is given back. */
export const CLOSE_TIMEOUT = 5000

/** How long work that was given up may take to end, in milliseconds, once it is being cancelled. */
const CANCEL_GRACE = 100

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
  /** They need connections of their own, which no slot of the pool stands for. */
  private cancels = 0
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
    const { test } = this.settings
    if (test === undefined) return this.state.checked(connection, true)
    this.ask(connection, () => test(connection.item), (passed) => this.state.checked(connection, passed))
  }

  reset(connection: Connection<A>): void {
    const { onReturn } = this.settings
    if (onReturn === undefined) return this.state.reset(connection, true)
    this.ask(connection, () => onReturn(connection.item), (passed) => this.state.reset(connection, passed))
  }

  close(connection: Connection<A>): void {
    const { cancel, dialConcurrency } = this.settings
    const { abandoned, item, work } = connection
    const close = () => {
      this.closeScope(connection.scope, () => this.state.closed())
      work?.interruptUnsafe()
    }
    if (!abandoned || cancel === undefined || this.cancels >= dialConcurrency) return close()
    const ended = work === undefined ? Effect.void : Fiber.await(work)
    this.cancels++
    this.atMost(CANCEL_GRACE, () => Effect.andThen(cancel(item), ended), () => {
      this.cancels--
      close()
    })
  }

  private ask(
    connection: Connection<A>,
    question: () => Effect.Effect<unknown, unknown>,
    onAnswer: (passed: boolean) => void
  ): void {
    let stop: ((passed: boolean) => void) | undefined
    const abort = () => stop?.(true) // nothing is wrong with it, but the pool has moved on and will not lend it
    this.checks.add(abort)
    stop = this.atMost(this.settings.checkTimeout, question, (passed) => {
      this.checks.delete(abort)
      onAnswer(passed)
    })
    // It may have moved on before the question was asked, or at the hands of who was asked.
    if (connection.generation !== this.state.generation) abort()
  }

  /** Tells, once, whether `effect` succeeds within `millis`; the returned function ends it before. Nothing waits for its interruption. */
  private atMost(
    millis: number,
    effect: () => Effect.Effect<unknown, unknown>,
    onEnd: (succeeded: boolean) => void
  ): (succeeded: boolean) => void {
    let ended = false
    const end = (succeeded: boolean) => {
      if (ended) return
      ended = true
      cancelTimeout()
      onEnd(succeeded)
    }
    const fiber = this.fork(Effect.suspend(effect))
    const stop = (succeeded: boolean) => {
      end(succeeded)
      fiber.interruptUnsafe()
    }
    const cancelTimeout = this.deadlines.after(millis, () => stop(false))
    fiber.addObserver((exit) => end(Exit.isSuccess(exit)))
    return stop
  }

  private abortDial(dial: Dial, fiber: Fiber.Fiber<A, unknown>): void {
    if (dial.ended || !this.dials.has(dial)) return // its end, also one in this very turn, has been counted
    dial.ended = true
    this.state.dialForsaken()
    fiber.interruptUnsafe(undefined, unwanted)
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
