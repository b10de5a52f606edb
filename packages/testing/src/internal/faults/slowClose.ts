import type * as Duration from "effect/Duration"
import type { Fault } from "./model.ts"
import * as Options from "./options.ts"

/**
 * Holds back the end of a connection for a time: who has closed is gone, and the other side, which takes the connection
 * for open, hears of it late. Bytes pass as ever. A time that is not finite or is negative is a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const slowClose = (duration: Duration.Input): Fault => {
  const millis = Options.millis("slowClose", "duration", duration)
  return { name: "slowClose", passage: () => ({ kind }) => kind === "end" ? millis : 0 }
}
