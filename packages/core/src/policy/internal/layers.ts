/**
 * What stands around an attempt. A stage that only decides whether an attempt may begin, and hears how it ended, is a
 * guard; guards that stand next to each other share one frame of the fiber's stack: a frame each would cost more than
 * what they do.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { PolicyError } from "../PolicyError.ts"
import type { Call, Stage } from "./policy.ts"

/**
 * Makes what is to be run once and at once, of what is inside of it: `layered(work, depth, call)`. It is told where it
 * stands rather than given a function that makes it: nearly all calls of a program go through here.
 */
export type Layer = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  depth: number,
  call: Call
) => Effect.Effect<A, E | PolicyError, R>

/** What is inside of so many layers, counted from the innermost. */
export const layered: Layer = (work, depth, call) =>
  depth === 0 ? work : call.policy.layers[depth - 1]!(work, depth - 1, call)

/** The same, made when it is run: for what runs it later, or more than once. */
export const anew: Layer = (work, depth, call) => Effect.suspend(() => layered(work, depth, call))

/** What an attempt holds of a guard that let it in. Guards may give the same one to many. */
export interface Pass {
  /** Called once, however the attempt ends. An effect given back is run before it has ended. */
  leave(exit: Exit.Exit<unknown, unknown>, call: Call): Effect.Effect<void> | undefined
}

export interface Guard {
  /**
   * Lets an attempt in by giving nothing, or an effect to run before. A failure refuses it. What the guard takes, it
   * hands to the passage in the same moment.
   */
  readonly admit: (passage: Passage) => Effect.Effect<void, PolicyError> | undefined
  /**
   * Decides at once where nothing has to be taken for it: the pass of an attempt that may begin, or the refusal.
   */
  readonly decide?: (call: Call) => Pass | Exit.Failure<never, PolicyError> | undefined
}

/** One attempt on its way through guards. */
export class Passage {
  readonly call: Call
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  private readonly passes: Array<Pass>
  private held = 0
  private before: Context.Context<never> | undefined

  constructor(call: Call, guards: number) {
    this.call = call
    // One that grows would take room for seventeen with its first.
    // oxlint-disable-next-line no-new-array
    this.passes = new Array(guards)
  }

  hold(pass: Pass): void {
    this.passes[this.held++] = pass
  }

  get context(): Context.Context<never> {
    return this.fiber!.context
  }

  /** Puts what is further inside into another context, until the attempt ends. */
  provide(context: Context.Context<never>): void {
    this.before ??= this.fiber!.context
    this.fiber!.setContext(context)
  }

  leave(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    if (this.before !== undefined) this.fiber!.setContext(this.before)
    let after: Effect.Effect<void> | undefined
    while (this.held > 0) {
      const one = leaving(this.passes[--this.held]!, exit, this.call)
      if (one !== undefined) after = after === undefined ? one : Effect.ensuring(after, one)
    }
    return after
  }
}

// A classifier that throws must not keep the other guards from hearing of the end.
const leaving = (pass: Pass, exit: Exit.Exit<unknown, unknown>, call: Call): Effect.Effect<void> | undefined => {
  try {
    return pass.leave(exit, call)
  } catch (defect) {
    return Effect.die(defect)
  }
}

const admitFrom = <A, E, R>(
  guards: ReadonlyArray<Guard>,
  from: number,
  passage: Passage,
  work: Effect.Effect<A, E, R>,
  depth: number
): Effect.Effect<A, E | PolicyError, R> => {
  for (let n = from; n < guards.length; n++) {
    const before = guards[n]!.admit(passage)
    if (before !== undefined) return Effect.flatMap(before, () => admitFrom(guards, n + 1, passage, work, depth))
  }
  return layered(work, depth, passage.call)
}

const through = (guards: ReadonlyArray<Guard>): Layer => (work, depth, call) => {
  const passage = new Passage(call, guards.length)
  // The finalizer goes on the stack before anything is taken: an interrupt in between must find it.
  return Effect.onExitPrimitive(
    Effect.withFiber((fiber) => {
      passage.fiber = fiber
      return admitFrom(guards, 0, passage, work, depth)
    }),
    (exit) => passage.leave(exit)
  )
}

const isRefusal = (decided: Pass | Exit.Failure<never, PolicyError>): decided is Exit.Failure<never, PolicyError> =>
  !("leave" in decided)

const guarded = (guards: ReadonlyArray<Guard>): Layer => {
  const [first, ...others] = guards
  const all = through(guards)
  const decide = others.length === 0 ? first?.decide : undefined
  if (decide === undefined) return all
  return (work, depth, call) => {
    const decided = decide(call)
    if (decided === undefined) return all(work, depth, call)
    if (isRefusal(decided)) return decided
    return Effect.onExitPrimitive(layered(work, depth, call), (exit) => decided.leave(exit, call))
  }
}

/** Innermost first. */
export const layersOf = (
  stages: ReadonlyArray<Pick<Stage, "around" | "repeat" | "guard">>
): ReadonlyArray<Layer> => {
  const layers: Array<Layer> = []
  let guards: Array<Guard> = []
  const close = () => {
    if (guards.length > 0) layers.push(guarded(guards))
    guards = []
  }
  for (const { around, guard, repeat } of stages) {
    if (around !== undefined || repeat !== undefined) close()
    if (around !== undefined) layers.push((work, depth, call) => around(anew(work, depth, call), call))
    if (repeat !== undefined) layers.push(repeat)
    if (guard !== undefined) guards.push(guard)
  }
  close()
  return layers.toReversed()
}
