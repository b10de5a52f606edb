/**
 * Work that an interruption leaves behind at once, instead of waiting for its end: a driver that hears nothing from its
 * server may wait for seconds in its own interruption.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { GiveUp } from "../../internal/giveUp.ts"
import type { Borrow } from "./borrow.ts"
import type { PoolState } from "./poolState.ts"

/** The borrower was interrupted, and `work` may still run: the connection comes back to be cancelled and closed. */
export const abandon = <A>(state: PoolState<A>, borrow: Borrow<A>, work?: Fiber.Fiber<unknown, unknown>): void => {
  const { connection } = borrow
  if (connection?.borrow === borrow) {
    connection.doom ??= "Cancelled"
    connection.abandoned = true
    connection.work = work
  } else {
    work?.interruptUnsafe()
  }
  state.release(borrow)
}

/** In a fiber of its own, which the pool ends once it has cancelled the work at the server. */
export const abandonable = <A, B, E, R>(
  state: PoolState<A>,
  borrow: Borrow<A>,
  work: Effect.Effect<B, E, R>
): Effect.Effect<B, E, R> =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<B, E>((resume) => {
      const giveUp = () => abandon(state, borrow)
      const running = Effect.runForkWith(Context.add(context, GiveUp, giveUp))(work)
      running.addObserver(resume)
      return Effect.sync(() => abandon(state, borrow, running))
    })
  )
