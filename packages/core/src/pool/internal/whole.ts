/**
 * Waiting for the pool as a whole: until it is warm, until it is empty.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Holder, PoolError } from "../PoolError.ts"
import { CLOSE_TIMEOUT } from "./edges.ts"
import type { PoolState } from "./poolState.ts"

/**
 * What became of the work that ran when a drain began.
 *
 * @since 0.1.0
 * @category models
 */
export interface DrainReport {
  readonly took: Duration.Duration
  /** The borrows whose connection was cut at the deadline. */
  readonly cut: ReadonlyArray<Holder>
  /** Connections whose close had not ended either, five seconds later. */
  readonly leftOpen: number
}

export const awaitWarm = <A>(state: PoolState<A>): Effect.Effect<void, PoolError> =>
  Effect.callback((resume) => {
    if (state.phase !== "open") {
      resume(Effect.fail(state.report.closed()))
      return
    }
    const startedAt = state.now()
    const end = (result: Effect.Effect<void, PoolError>) => {
      stop()
      state.tell(() => resume(result))
    }
    const unwatch = state.supply.watch({
      get want() {
        return Math.max(1, state.settings.min)
      },
      onTurn(open) {
        if (state.phase !== "open") end(Effect.fail(state.report.closed()))
        else if (open >= this.want) {
          state.supply.filling = true // what was warmed is kept warm, also where nobody has borrowed yet
          end(Effect.void)
        }
      },
      onDialFailed: (error) => end(Effect.fail(error))
    })
    const cancelTimeout = state.after(state.settings.waitTimeout, () =>
      end(Effect.fail(state.report.acquireTimeout(startedAt))))
    const stop = () => {
      unwatch()
      cancelTimeout()
    }
    state.wake()
    return Effect.sync(stop)
  })

/** Who joins a drain that is under way may shorten it, but not lengthen it. */
export const awaitDrained = <A>(state: PoolState<A>, deadline: number): Effect.Effect<DrainReport> =>
  Effect.callback((resume) => {
    const startedAt = state.now()
    const report = (): DrainReport => ({
      took: Duration.millis(state.now() - startedAt),
      cut: state.cutByDrain,
      leftOpen: state.bag.total
    })
    if (state.phase === "closed") {
      resume(Effect.sync(report))
      return
    }
    const end = () => {
      stop()
      state.end()
      const result = Effect.succeed(report())
      state.tell(() => resume(result))
    }
    state.drain()
    const unwatch = state.supply.watch({
      want: 0,
      onTurn: (_, total) => {
        if (total === 0) end()
      }
    })
    let cancelTimeout = state.after(deadline, () => {
      cancelTimeout = state.after(CLOSE_TIMEOUT, end)
      state.cutDrained()
    })
    const stop = () => {
      unwatch()
      cancelTimeout()
    }
    state.wake()
    return Effect.sync(stop)
  })
