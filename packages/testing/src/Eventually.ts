/**
 * Waits for what comes about by itself: a pool that refills, a server that comes back.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/**
 * Asks again every 10 milliseconds until it holds. The test's own limit ends what never does.
 *
 * @since 0.1.0
 * @category waiting
 */
export const eventually = <E, R>(holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.repeat(Effect.andThen(Effect.sleep("10 millis"), holds), { until: (yes) => yes })
