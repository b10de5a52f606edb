/**
 * How much of the time that a connection is lent something runs on it. The rest is held in vain: by a borrower that does
 * other work meanwhile, or by none any more. A backend makes one for each connection, tells the pool of it by the option
 * `activity`, and runs its operations through `Backend.measured`, or `during`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Activity, ActivityCount } from "../internal/activity.ts"
import { monotonicMillis } from "../internal/ambientDeadline.ts"

export type { Activity } from "../internal/activity.ts"

/**
 * Of a connection on which nothing has run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Activity => new ActivityCount()

/**
 * Counts an effect as something that runs on the connection: for what is no operation of `Backend.measured`.
 *
 * @since 0.1.0
 * @category measuring
 */
export const during = <A, E, R>(self: Effect.Effect<A, E, R>, activity: Activity): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const clock = fiber.getRef(Clock.Clock)
    activity.begin(monotonicMillis(clock))
    return Effect.onExitPrimitive(self, () => {
      activity.end(monotonicMillis(clock))
      return undefined
    })
  })
