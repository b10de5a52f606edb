/**
 * Calls that come at a rate, whether or not the earlier ones have been answered ("open loop"). Each knows when it was due:
 * whoever measures from there sees a stall of the server, or of the client itself, in every call that it delayed, instead
 * of in the one that hit it (no "coordinated omission").
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Random from "effect/Random"
import * as Distribution from "./Distribution.ts"

/**
 * For how long, in seconds, and how many calls a second. `Infinity` seconds last until `until`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Phase {
  readonly seconds: number
  readonly rate: number
}

/**
 * A call that is to be made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Arrival {
  /** Epoch milliseconds at which it should begin; it begins then or later. */
  readonly due: number
  /** Which phase it belongs to, counted from 0. */
  readonly phase: number
}

/**
 * When calls come, and what they are.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<R, R2 = never> {
  /** One after the other. */
  readonly phases: ReadonlyArray<Phase>
  /** `poisson`: independent of each other, as the callers of a service are, by the fiber's `Random`. Default `constant`. */
  readonly arrivals?: "constant" | "poisson" | undefined
  readonly call: (arrival: Arrival) => Effect.Effect<unknown, never, R>
  /** Nothing comes any more once it ends. Default: the end of the last phase. */
  readonly until?: Effect.Effect<unknown, never, R2> | undefined
}

/**
 * Makes the calls, and waits for the last of them to end: a call has to have a bound of its own. An interruption ends those
 * under way. Throws a `RangeError` for a phase that is none.
 *
 * @since 0.1.0
 * @category running
 */
export const run = <R, R2 = never>(options: Options<R, R2>): Effect.Effect<void, never, R | R2> => {
  for (const { rate, seconds } of options.phases) {
    if (seconds > 0 && rate > 0 && rate < Infinity) continue
    throw new RangeError(`OpenLoop: a phase is ${seconds} s at ${rate} a second; allowed are numbers above 0`)
  }
  return Effect.scoped(Effect.gen(function*() {
    const inFlight = yield* FiberSet.make<unknown>()
    const generated = generate(options, (arrival) => FiberSet.run(inFlight, options.call(arrival)))
    yield* options.until === undefined ? generated : Effect.raceFirst(generated, options.until)
    yield* FiberSet.awaitEmpty(inFlight)
  }))
}

const generate = <R>(
  { arrivals, phases }: Pick<Options<never>, "arrivals" | "phases">,
  begin: (arrival: Arrival) => Effect.Effect<unknown, never, R>
): Effect.Effect<void, never, R> =>
  Effect.gen(function*() {
    const random = yield* Random.Random
    const draw = () => random.nextDoubleUnsafe()
    let from = yield* Clock.currentTimeMillis
    for (const [phase, { rate, seconds }] of phases.entries()) {
      const gap = (arrivals === "poisson" ? Distribution.exponential : Distribution.constant)(1000 / rate)
      const until = from + seconds * 1000
      // By a count, not by a sum: a hundred gaps of a third of a second are one third of a hundred seconds.
      const next = (n: number, due: number) => arrivals === "poisson" ? due + gap(draw) : from + n / rate * 1000
      for (let n = 1, due = from; due < until; due = next(n++, due)) {
        yield* sleepUntil(due)
        yield* begin({ due, phase })
      }
      from = until
    }
    yield* sleepUntil(from)
  })

const sleepUntil = (instant: number): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => instant > now ? Effect.sleep(instant - now) : Effect.void)
