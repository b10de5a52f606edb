/**
 * The borrows there are: for one effect, for one effect that can be left behind, and until a scope closes.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { abandon, abandonable } from "./abandon.ts"
import { type Borrow, Request } from "./borrow.ts"
import type { UseOptions } from "./options.ts"
import type { PoolState } from "./poolState.ts"

export type Work<A, B, E, R> = (item: A) => Effect.Effect<B, E, R>

export class UseRequest<A, B, E, R> extends Request<A, B, E, R> {
  private readonly work: Work<A, B, E, R>

  constructor(state: PoolState<A>, timeout: number, options: UseOptions | undefined, work: Work<A, B, E, R>) {
    super(state, timeout, options)
    this.work = work
  }

  lent(item: A, borrow: Borrow<A, B, E, R>): Effect.Effect<B, E, R> {
    borrow.enclose()
    return this.work(item)
  }
}

export class AbandonableRequest<A, B, E, R> extends UseRequest<A, B, E, R> {
  private readonly state: PoolState<A>

  constructor(state: PoolState<A>, timeout: number, options: UseOptions | undefined, work: Work<A, B, E, R>) {
    super(state, timeout, options, work)
    this.state = state
  }

  override lent(item: A, borrow: Borrow<A, B, E, R>): Effect.Effect<B, E, R> {
    return abandonable(this.state, borrow, super.lent(item, borrow))
  }
}

/** For the detection of nested borrows it has no body: it counts for its fiber, and for whatever runs with the scope. */
export class GetRequest<A> extends Request<A, A, never, Scope.Scope> {
  private readonly state: PoolState<A>

  constructor(state: PoolState<A>, timeout: number, options: UseOptions | undefined) {
    super(state, timeout, options)
    this.state = state
  }

  lent(item: A, borrow: Borrow<A, A, never, Scope.Scope>): Effect.Effect<A, never, Scope.Scope> {
    const scope = Context.getUnsafe(borrow.fiber.context, Scope.Scope)
    this.state.keep(borrow, scope)
    return Effect.flatMap(Scope.addFinalizerExit(scope, (exit) => this.end(borrow, exit)), () => {
      // A scope that has closed meanwhile has run the finalizer already: the item is not the caller's any more.
      if (borrow.connection === undefined) return Effect.interrupt
      borrow.entrust()
      return Effect.succeed(item)
    })
  }

  private end(borrow: Borrow<A, A, never, Scope.Scope>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.state.settings.cancel !== undefined && Exit.hasInterrupts(exit)) abandon(this.state, borrow)
      else this.state.release(borrow)
    })
  }
}
