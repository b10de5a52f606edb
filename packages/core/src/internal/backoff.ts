/**
 * A schedule as the source of delays, asked for one at a time by whoever holds a timer of its own.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/** The next delay in milliseconds. */
export type Backoff = (cause: unknown) => Effect.Effect<number>

/**
 * From the beginning of `schedule`. When that ends, or dies, its last delay is kept. None is shorter than `least`: a
 * schedule without delays must not become a storm.
 */
export const make = (schedule: Schedule.Schedule<unknown>, least: number): Effect.Effect<Backoff> =>
  Effect.map(Schedule.toStep(schedule), (step) => {
    let last = least
    return (cause) =>
      Effect.clockWith((clock) => step(clock.currentTimeMillisUnsafe(), cause)).pipe(
        Effect.matchCause({
          onFailure: () => last,
          onSuccess: ([, delay]) => (last = Math.max(least, Duration.toMillis(delay)))
        })
      )
  })
