import { Data, Effect, Random } from "effect"
import type * as Outcome from "../../src/policy/Outcome.ts"

/** An error of a backend that says how it counts. */
export class Down extends Data.TaggedError("Down")<{ readonly outcome: Outcome.Outcome }> {}

/** A call that ends as told, one ending an attempt; the last one is repeated. It counts its runs. */
export const scripted = <Endings extends ReadonlyArray<Effect.Effect<unknown, unknown>>>(...endings: Endings) => {
  type Ending = Effect.Effect<Effect.Success<Endings[number]>, Effect.Error<Endings[number]>>
  const call = {
    runs: 0,
    // Every ending is one, which the compiler cannot see through the type of the list.
    effect: Effect.suspend((): Ending => endings[Math.min(call.runs++, endings.length - 1)] as Ending)
  }
  return call
}

/** Every draw of `Random` gives `share`. */
export const drawing = (share: number) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Random.Random, { nextDoubleUnsafe: () => share, nextIntUnsafe: () => 0 })
