/**
 * Work with a beginning and with an end that is certain, in one object: it is the effect that begins, and it is what
 * the fiber has on its stack until the work has ended, however that comes about. On the way it may wait to be called.
 *
 * Effect offers both, as `onExitPrimitive` with `catchCause`, and as `callback`. Where they are begun and ended a million
 * times a second each is one more object, one more operation and an `Exit` that nobody looks at: together a third of a
 * borrow. So this does what they do inside (`OnExitImpl` and `callbackOptions` in `effect/src/internal/effect.ts`),
 * through parts of the fiber that are not public. Whether the Effect at hand has them is tried first (`frameTrial.ts`),
 * and where it has not, the same is done with what is public.
 *
 * @internal
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import { type AnyFiber, ensure, inside, push } from "./fiberParts.ts"

/** What fails in place of the work. */
type Recover<E> = (cause: Cause.Cause<unknown>) => Effect.Effect<never, E>

/** How a frame gets onto its fiber, and how a fiber waits. */
export interface Frames {
  /** Begins `frame`: to be returned to its fiber at once. */
  run<B, E, R>(frame: Frame<B, E, R>): Effect.Effect<B, E, R>
  /** Until `resume`. */
  suspend<B, E, R>(frame: Frame<B, E, R>): Effect.Effect<B, E, R>
  resume(frame: Frame): void
}

export abstract class Frame<B = unknown, E = unknown, R = unknown> extends Effectable.Class<B, E, R> {
  readonly fiber: AnyFiber
  isWaiting = false
  /** Set where nothing more direct leads back to the fiber. */
  resume: (() => void) | undefined

  constructor(fiber: AnyFiber) {
    super()
    this.fiber = fiber
  }

  /** The work, run when it begins, and again when a wait is over. */
  abstract override asEffect(): Effect.Effect<B, E, R>

  /** Called once, when the work has ended; what it returns is asked for the failure, if it is one. */
  protected abstract end(): Recover<E> | undefined

  finish(): Recover<E> | undefined {
    this.isWaiting = false
    return this.end()
  }

  [ensure](fiber: AnyFiber): void {
    const recover = this.finish()
    if (recover !== undefined) push(fiber, Effect.catchCause(Effect.never, recover))
  }
}

/** By parts of Effect's fibers that are not public. */
export const native: Frames = {
  run(frame) {
    push(frame.fiber, frame)
    return frame.asEffect()
  },
  suspend(frame) {
    frame.isWaiting = true
    // Whatever the fiber goes on with, an interruption say, it can be called no more.
    return inside(frame.fiber).yieldWith(() => (frame.isWaiting = false))
  },
  resume(frame) {
    if (frame.isWaiting) inside(frame.fiber).evaluate(frame)
  }
}

/** By what is public. */
export const portable: Frames = {
  run<B, E, R>(frame: Frame<B, E, R>) {
    let recover: Recover<E> | undefined
    const ended = Effect.onExitPrimitive(frame, () => {
      recover = frame.finish()
      return undefined
    })
    return Effect.catchCause(ended, (cause) => recover === undefined ? Effect.failCause(cause) : recover(cause))
  },
  suspend<B, E, R>(frame: Frame<B, E, R>) {
    frame.isWaiting = true
    // It may be called before it waits: the scheduler may yield in between.
    return Effect.callback<B, E, R>((resume) => {
      if (frame.isWaiting) frame.resume = () => resume(frame)
      else resume(frame)
    })
  },
  resume(frame) {
    if (!frame.isWaiting) return
    frame.isWaiting = false
    frame.resume?.()
  }
}
