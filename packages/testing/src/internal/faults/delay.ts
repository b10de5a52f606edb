import type * as Duration from "effect/Duration"
import type { Fault } from "./model.ts"
import * as Options from "./options.ts"

/**
 * Latency: holds everything back for a time, in each direction, so that a round trip takes twice as long. A time that
 * is not finite or is negative is a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const delay = (duration: Duration.Input): Fault => {
  const millis = Options.millis("delay", "duration", duration)
  return { name: "delay", passage: () => () => millis }
}
