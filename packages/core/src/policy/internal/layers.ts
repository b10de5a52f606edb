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
import { ExitFrame } from "../../internal/exitFrame.ts"
import { choose } from "../../internal/exitFrameTrial.ts"
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
  /** What a refusal has. */
  readonly _tag?: undefined
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

/** One attempt on its way through guards, as they see it. */
export interface Passage {
  readonly call: Call
  readonly context: Context.Context<never>
  hold(pass: Pass): void
  /** Puts what is further inside into another context, until the attempt ends. */
  provide(context: Context.Context<never>): void
}

/** Around `work`, and what else is inside of a layer. */
abstract class Around<A, E, R> extends ExitFrame<A, E | PolicyError, R> {
  readonly call: Call
  protected readonly work: Effect.Effect<A, E, R>
  protected readonly depth: number

  constructor(work: Effect.Effect<A, E, R>, depth: number, call: Call) {
    super()
    this.work = work
    this.depth = depth
    this.call = call
  }
}

/** Lets in what a single guard has decided on already. */
class Admitted<A, E, R> extends Around<A, E, R> {
  private readonly pass: Pass

  constructor(pass: Pass, work: Effect.Effect<A, E, R>, depth: number, call: Call) {
    super(work, depth, call)
    this.pass = pass
  }

  protected override begin(): Effect.Effect<A, E | PolicyError, R> {
    return layered(this.work, this.depth, this.call)
  }

  protected override ended(exit: Exit.Exit<A, E | PolicyError>): Effect.Effect<void> | undefined {
    return this.pass.leave(exit, this.call)
  }
}

class Guarded<A, E, R> extends Around<A, E, R> implements Passage {
  private fiber: Fiber.Fiber<unknown, unknown> | undefined
  private readonly guards: ReadonlyArray<Guard>
  private readonly passes: Array<Pass>
  private held = 0
  private before: Context.Context<never> | undefined

  constructor(guards: ReadonlyArray<Guard>, work: Effect.Effect<A, E, R>, depth: number, call: Call) {
    super(work, depth, call)
    this.guards = guards
    // One that grows would take room for seventeen with its first.
    // oxlint-disable-next-line no-new-array
    this.passes = new Array(guards.length)
  }

  hold(pass: Pass): void {
    this.passes[this.held++] = pass
  }

  get context(): Context.Context<never> {
    return this.fiber!.context
  }

  provide(context: Context.Context<never>): void {
    this.before ??= this.fiber!.context
    this.fiber!.setContext(context)
  }

  protected override begin(fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E | PolicyError, R> {
    this.fiber = fiber
    return this.admitFrom(0)
  }

  private admitFrom(first: number): Effect.Effect<A, E | PolicyError, R> {
    for (let n = first; n < this.guards.length; n++) {
      const before = this.guards[n]!.admit(this)
      if (before !== undefined) return Effect.flatMap(before, () => this.admitFrom(n + 1))
    }
    return layered(this.work, this.depth, this.call)
  }

  protected override ended(exit: Exit.Exit<A, E | PolicyError>): Effect.Effect<void> | undefined {
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

const guarded = (guards: ReadonlyArray<Guard>): Layer => {
  const [first, ...others] = guards
  const all: Layer = (work, depth, call) => new Guarded(guards, work, depth, call)
  const decide = others.length === 0 ? first?.decide : undefined
  if (decide === undefined) return all
  return (work, depth, call) => {
    const decided = decide(call)
    if (decided === undefined) return all(work, depth, call)
    if (decided._tag === "Failure") return decided
    return new Admitted(decided, work, depth, call)
  }
}

/** Innermost first. */
export const layersOf = (
  stages: ReadonlyArray<Pick<Stage, "around" | "repeat" | "guard">>
): ReadonlyArray<Layer> => {
  choose()
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
