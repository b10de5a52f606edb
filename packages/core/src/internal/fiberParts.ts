/**
 * The parts of Effect's fibers that are not public, and that frames use. `frameTrial.ts` and `exitFrameTrial.ts` find out
 * whether the Effect at hand has them.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

export type AnyFiber = Fiber.Fiber<unknown, unknown>

interface Inside {
  readonly _stack: Array<unknown>
  readonly _interruptedCause: unknown
  succeedWith<A>(value: A): Effect.Effect<A>
  yieldWith(onResume: () => void): never
  evaluate(effect: unknown): void
}

// A trial has found out whether this Effect's fibers have them.
export const inside = (fiber: AnyFiber): Inside => fiber as unknown as Inside

/** Called on whatever a fiber takes off its stack, be it for success, failure or interruption. */
export const ensure = "~effect/Effect/ensureCont"

export const push = (fiber: AnyFiber, onStack: unknown): void => {
  // oxlint-disable-next-line no-underscore-dangle -- Effect's name for it
  inside(fiber)._stack.push(onStack)
}

export const isInterrupted = (fiber: AnyFiber): boolean =>
  // oxlint-disable-next-line no-underscore-dangle -- as above
  inside(fiber)._interruptedCause !== undefined
