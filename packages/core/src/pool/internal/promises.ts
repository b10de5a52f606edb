/**
 * Functions that give promises, as the pool's effects. A promise cannot be interrupted: who does not need it any more says
 * so through a signal, waits a while for it to settle, and takes care of what becomes of it after that.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Pool from "../Pool.ts"

/** How long a dial that was given up may go on holding its slot, in milliseconds: as long as a close. */
const DIAL_GRACE = 5000
/** How long work that was given up may go on before its connection is closed under it, in milliseconds. */
const WORK_GRACE = 100

/** Never rejects, also where `begin` throws. */
const settle = <A>(begin: () => A | PromiseLike<A>): Promise<Exit.Exit<A, unknown>> =>
  new Promise<A>((resolve) => resolve(begin())).then(Exit.succeed, Exit.fail)

const settlesWithin = (settling: Promise<unknown>, millis: number): Effect.Effect<boolean> =>
  Effect.map(Effect.timeoutOption(Effect.promise(() => settling), millis), Option.isSome)

/** As `acquire` of a pool. What `open` resolves with is closed, however late that is and whoever still wants it. */
export const acquireOf = <A>(
  open: (signal: AbortSignal) => A | PromiseLike<A>,
  close: ((item: A) => unknown) | undefined
): Effect.Effect<A, unknown, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      let opening: Promise<Exit.Exit<A, unknown>> | undefined
      const opened = Effect.promise((signal) => opening = settle(() => open(signal)))
      const closing = (item: A) => settle(() => close?.(item))
      return Effect.matchCauseEffect(restore(opened), {
        onSuccess: (exit) => Effect.tap(exit, (item) => Effect.addFinalizer(() => Effect.promise(() => closing(item)))),
        onFailure: (cause) => {
          if (opening === undefined) return Effect.failCause(cause)
          const closed = opening.then((exit) => Exit.isSuccess(exit) ? closing(exit.value) : undefined)
          return Effect.andThen(settlesWithin(closed, DIAL_GRACE), Effect.failCause(cause))
        }
      })
    })
  )

/** As `check.test` of a pool, and whatever else it asks for of an item. */
export const questionOf =
  <A>(ask: (item: A, signal: AbortSignal) => unknown) => (item: A): Effect.Effect<unknown, unknown> =>
    Effect.flatten(Effect.promise((signal) => settle(() => ask(item, signal))))

/**
 * Work on a borrowed connection. Interrupted, it may settle for a moment; if it does not, it may still be using the
 * connection, which nobody else may get.
 */
export const workOn = <A, B>(
  pool: Pool.Pool<A>,
  item: A,
  work: (signal: AbortSignal) => B | PromiseLike<B>
): Effect.Effect<B, unknown> =>
  Effect.suspend(() => {
    let working: Promise<Exit.Exit<B, unknown>> | undefined
    const worked = Effect.promise((signal) => working = settle(() => work(signal)))
    const abandon = Effect.suspend(() =>
      working === undefined ? Effect.succeed(true) : settlesWithin(working, WORK_GRACE)
    )
    return Effect.flatten(Effect.onInterrupt(worked, () =>
      Effect.flatMap(abandon, (settled) =>
        settled ? Effect.void : Pool.invalidate(pool, item, "Cancelled"))))
  })
