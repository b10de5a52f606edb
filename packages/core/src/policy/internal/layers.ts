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
import type { Call } from "./policy.ts"

export interface Layer {
  /** The effect given may be run several times, and so may the one that comes of it. */
  readonly around: <A, E, R>(effect: Effect.Effect<A, E, R>, call: Call) => Effect.Effect<A, E | PolicyError, R>
  /** The same for one that is run at once. */
  readonly now?: Layer["around"]
}

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
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PolicyError, R> => {
  for (let n = from; n < guards.length; n++) {
    const before = guards[n]!.admit(passage)
    if (before !== undefined) return Effect.flatMap(before, () => admitFrom(guards, n + 1, passage, effect))
  }
  return effect
}

const through = <A, E, R>(
  guards: ReadonlyArray<Guard>,
  effect: Effect.Effect<A, E, R>,
  call: Call
): Effect.Effect<A, E | PolicyError, R> => {
  const passage = new Passage(call, guards.length)
  // The finalizer goes on the stack before anything is taken: an interrupt in between must find it.
  return Effect.onExitPrimitive(
    Effect.withFiber((fiber) => {
      passage.fiber = fiber
      return admitFrom(guards, 0, passage, effect)
    }),
    (exit) => passage.leave(exit)
  )
}

const isRefusal = (decided: Pass | Exit.Failure<never, PolicyError>): decided is Exit.Failure<never, PolicyError> =>
  !("leave" in decided)

const guarded = (guards: ReadonlyArray<Guard>): Layer => {
  const [first, ...others] = guards
  const decide = others.length === 0 ? first?.decide : undefined
  const now: Layer["around"] = decide === undefined
    ? (effect, call) => through(guards, effect, call)
    : (effect, call) => {
      const decided = decide(call)
      if (decided === undefined) return through(guards, effect, call)
      return isRefusal(decided) ? decided : Effect.onExitPrimitive(effect, (exit) => decided.leave(exit, call))
    }
  return { around: (effect, call) => Effect.suspend(() => now(effect, call)), now }
}

/** Outermost first. */
export const layersOf = (
  stages: ReadonlyArray<{ readonly around?: Layer["around"]; readonly guard?: Guard }>
): ReadonlyArray<Layer> => {
  const layers: Array<Layer> = []
  let guards: Array<Guard> = []
  const close = () => {
    if (guards.length > 0) layers.push(guarded(guards))
    guards = []
  }
  for (const { around, guard } of stages) {
    if (around !== undefined) {
      close()
      layers.push({ around })
    }
    if (guard !== undefined) guards.push(guard)
  }
  close()
  return layers
}
