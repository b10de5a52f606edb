/**
 * Work with a time limit: a fiber for the work, and a timer only where the work has not ended at once. `Effect.timeout`
 * costs about twice as much: it races two fibers as two options.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

export interface Limit<E> {
  readonly duration: Duration.Duration
  /** Called when it has passed, before the work is interrupted. */
  readonly passed?: (() => void) | undefined
  /** What comes of it, once the work has ended. */
  readonly orElse: () => Effect.Effect<never, E>
}

/** Runs work in a context until it ends, or its limit has passed and its interruption is over. */
export const limited = <A, E, R, E2>(
  work: Effect.Effect<A, E, R>,
  context: Context.Context<R>,
  limit: Limit<E2>
): Effect.Effect<A, E | E2> =>
  Effect.callback<A, E | E2>((resume) => {
    const fiber = Effect.runForkWith(context)(work)
    const ended = fiber.pollUnsafe()
    if (ended !== undefined) return resume(ended)
    let late = false
    const expire = () => {
      late = true
      limit.passed?.()
      fiber.interruptUnsafe()
    }
    const timer = Effect.runForkWith(context)(Effect.andThen(Effect.sleep(limit.duration), Effect.sync(expire)))
    fiber.addObserver((exit) => {
      timer.interruptUnsafe()
      resume(late ? Effect.suspend(limit.orElse) : exit)
    })
    return Fiber.interruptAll([fiber, timer])
  })
