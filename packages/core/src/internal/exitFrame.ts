/**
 * Work of whose end somebody hears, with its exit, in one object: it is the effect that begins, and it is what the fiber
 * has on its stack until the work has ended.
 *
 * Effect offers the same as `onExitPrimitive` around `withFiber`: four objects instead of one, and twice as many
 * operations. A policy is around nearly all calls of a program, and pays for little else. So this does what they do inside
 * (`OnExitImpl` in `effect/src/internal/effect.ts`), through parts of the fiber that are not public. Whether the Effect at
 * hand has them is tried first (`exitFrameTrial.ts`), and where it has not, the same is done with what is public.
 *
 * @internal
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import { type AnyFiber, ensure, inside, isInterrupted, push } from "./fiberParts.ts"

const evaluate = "~effect/Effect/evaluate"
const succeeded = "~effect/Effect/successCont"
const failed = "~effect/Effect/failureCont"

const onStack: object = Effect.onExitPrimitive(Effect.never, () => undefined)

/** What ends while an interruption is pending must not be interrupted: as Effect's own frames see to it. */
const protect = (fiber: AnyFiber): void => void Reflect.get(onStack, ensure).call(onStack, fiber)

/** Whether the parts of fibers that are not public are used. */
export const mode = { native: false }

/** To be run once. */
export abstract class ExitFrame<A = unknown, E = unknown, R = unknown> extends Effectable.Class<A, E, R> {
  /** The work. Whatever is taken for it here, `ended` is called. */
  protected abstract begin(fiber: AnyFiber): Effect.Effect<A, E, R>

  /**
   * Called once, when the work has ended, also where it could not begin; an effect given back is run before anything else,
   * and not interrupted.
   */
  protected abstract ended(exit: Exit.Exit<A, E>): Effect.Effect<void> | undefined

  override asEffect(): Effect.Effect<A, E, R> {
    return Effect.onExitPrimitive(Effect.withFiber((fiber) => this.begin(fiber)), (exit) => this.ended(exit))
  }

  [evaluate](fiber: AnyFiber): Effect.Effect<A, E, R> {
    if (!mode.native) return this.asEffect()
    push(fiber, this)
    return this.begin(fiber)
  }

  [ensure](fiber: AnyFiber): void {
    if (isInterrupted(fiber)) protect(fiber)
  }

  [succeeded](value: A, fiber: AnyFiber, exit: Exit.Exit<A, E> | undefined): Effect.Effect<A, E> {
    const heard = exit ?? Exit.succeed(value)
    const after = this.hear(heard, fiber)
    return after ?? exit ?? inside(fiber).succeedWith(value)
  }

  [failed](cause: Cause.Cause<E>, fiber: AnyFiber, exit: Exit.Exit<A, E> | undefined): Effect.Effect<A, E> {
    // An interruption from here on is told beside the failure, and not in its place.
    protect(fiber)
    const heard = exit ?? Exit.failCause(cause)
    return this.hear(heard, fiber) ?? heard
  }

  /** What is to come before the exit, if anything is. */
  private hear(exit: Exit.Exit<A, E>, fiber: AnyFiber): Effect.Effect<A, E> | undefined {
    let after: Effect.Effect<void> | undefined
    try {
      after = this.ended(exit)
    } catch (defect) {
      after = Effect.die(defect)
    }
    if (after === undefined) return undefined
    // The fiber may yield before it goes on with this: an interruption must find it on the stack.
    push(fiber, Effect.onExitPrimitive(exit, () => after))
    return exit
  }
}
