/**
 * Runs a program on virtual time, to its end, at once: clock, scheduler and randomness are the simulation's own, so that
 * the same seed gives the same run to the last digit, and an hour takes as long as what happens in it.
 *
 * `TestClock` is moved by hand, which suits a test of a few steps. A simulation of thousands of callers needs a clock that
 * goes on by itself.
 *
 * ```ts
 * import { Simulation } from "@breakwater/testing"
 * import { Clock, Effect } from "effect"
 *
 * const program = Effect.andThen(Effect.sleep("1 hour"), Clock.currentTimeMillis)
 * console.log(Simulation.run(program, { seed: 1 })) // => 3600000
 * ```
 *
 * Gotchas: nothing in it may wait for the outside world, a promise or a socket; that fails as "waits for something outside
 * of the simulation".
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { Timeline } from "./internal/simulation/timeline.ts"

/**
 * Settings of a run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Decides everything that is random in the run. */
  readonly seed: number | string
}

/**
 * The time of the simulation, for models that need no fiber: `after` does something later, and returns what cancels it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Time {
  /** Milliseconds since the simulation began. */
  readonly now: number
  after(millis: number, action: () => void): () => void
}

/**
 * The time of the simulation that a program runs in; dies outside of one.
 *
 * @category getters
 * @since 0.1.0
 */
export const time: Effect.Effect<Time> = Effect.clockWith((clock) =>
  clock instanceof Timeline ? Effect.succeed(clock) : Effect.die(new Error("This runs in a simulation only"))
)

/**
 * Runs a program to its end and gives what it came to, as an exit.
 *
 * @category running
 * @since 0.1.0
 */
export const runExit = <A, E>(program: Effect.Effect<A, E>, options: Options): Exit.Exit<A, E> => {
  const timeline = new Timeline()
  const ready: Array<() => void> = []
  const scheduler = new Scheduler.MixedScheduler("async", (task) => {
    ready.push(task)
    return () => {
      const index = ready.indexOf(task)
      if (index >= 0) ready.splice(index, 1)
    }
  })
  const context = Context.make(Clock.Clock, timeline).pipe(Context.add(Scheduler.Scheduler, scheduler))
  const fiber = Effect.runForkWith(context)(Random.withSeed(program, options.seed))
  for (;;) {
    for (let task = ready.shift(); task !== undefined; task = ready.shift()) task()
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return exit
    if (!timeline.step()) throw new Error("The program waits for something outside of the simulation")
  }
}

/**
 * Runs a program to its end and gives its value. Throws what it fails with.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <A, E>(program: Effect.Effect<A, E>, options: Options): A => {
  const exit = runExit(program, options)
  if (exit._tag === "Success") return exit.value
  throw Cause.squash(exit.cause)
}
