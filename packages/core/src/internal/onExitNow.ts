/**
 * Takes something and sees to it that it is given back, in one operation of the fiber. With `Effect.onExitPrimitive` the
 * finalizer stands on the stack only when the run loop has come to it, one operation after it was described, and the
 * taking is a further one: each costs about as much as all that a free pool does for a borrow.
 *
 * Effect does the same inside of its own `Pool`, by a function that it does not export. Here the run loop's step is taken
 * by hand: the step of an effect is a method whose contract is that of `Effectable.Prototype`, and whose name is read
 * from there. What the step of a finalizer does is tried once; where it is not what it was in 4.1, the finalizer goes
 * the long way.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"

type Running = Fiber.Fiber<unknown, unknown>

/** Something that is taken and given back. */
export interface Taking<out A, out E, out R, out E2> {
  /** Takes it, and gives what is done with it. */
  begin(): Effect.Effect<A, E, R>
  /**
   * Called once, however that ends: also where `begin` throws, and on the long way where an interrupt came before it.
   * What it gives takes the place of a failure.
   */
  leave(exit: Exit.Exit<unknown, unknown>): Effect.Effect<never, E2> | undefined
}

/** Only for the evaluation of `Effect.withFiber`, which gives back at once what this gives. */
export type OnExitNow = <A, E, R, E2>(fiber: Running, taking: Taking<A, E, R, E2>) => Effect.Effect<A, E | E2, R>

const probe = () => Effect.void
const prototype = Effectable.Prototype({ label: "Probe", evaluate: probe })
const EVALUATE = Reflect.ownKeys(prototype).find((key) => Reflect.get(prototype, key) === probe)

/** Does what the run loop would do next, where that is to put a frame on the stack. */
const push = (fiber: Running, frame: Effect.Effect<unknown, unknown, unknown>): void => {
  // Every effect has it: the run loop knows no other way to run one.
  ;(frame as unknown as Record<PropertyKey, (fiber: Running) => unknown>)[EVALUATE!]!(fiber)
}

/** The frame is pushed, and what it would go on with is left out. */
const nothing: Effect.Effect<unknown, unknown> = Effect.void

export const pushed: OnExitNow = (fiber, taking) => {
  push(
    fiber,
    Effect.onExitPrimitive(nothing, (exit) => {
      const instead = taking.leave(exit)
      if (instead !== undefined) push(fiber, Effect.catchCause(Effect.void, () => instead))
      return undefined
    })
  )
  return taking.begin()
}

export const composed: OnExitNow = <A, E, R, E2>(_: Running, taking: Taking<A, E, R, E2>) => {
  let instead: Effect.Effect<never, E2> | undefined
  return Effect.catchCause(
    Effect.onExitPrimitive(Effect.suspend(() => taking.begin()), (exit) => {
      instead = taking.leave(exit)
      return undefined
    }),
    (cause): Effect.Effect<never, E | E2> => instead ?? Effect.failCause(cause)
  )
}

/** Whether frames that are pushed are run, the newest first, and give what the others give. */
const canPush = (): boolean => {
  const heard: Array<string> = []
  const taking = (name: string, work: Effect.Effect<never, string>): Taking<never, string, never, string> => ({
    begin: () => work,
    leave: (exit) => {
      heard.push(`${name} ${exit._tag}`)
      return Effect.fail(name)
    }
  })
  const inner = Effect.withFiber((fiber) => pushed(fiber, taking("inner", Effect.fail("work"))))
  const outer = Effect.withFiber((fiber) => pushed(fiber, taking("outer", inner)))
  try {
    return Effect.runSync(Effect.flip(outer)) === "outer" && heard.join() === "inner Failure,outer Failure"
  } catch {
    return false
  }
}

export const onExitNow: OnExitNow = EVALUATE !== undefined && canPush() ? pushed : composed
