/**
 * Processes and servers run in real time: what waits for them keeps to the real clock even where a test has put its own
 * in place, or it would wait for ever.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const clock = Clock.Clock.defaultValue()

export const inRealTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Clock.Clock, clock)
