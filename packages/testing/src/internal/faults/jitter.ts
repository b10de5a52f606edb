import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Direction, Fault } from "./model.ts"
import * as Options from "./options.ts"

const generator = (seed: string): Random.Random => Effect.runSync(Random.withSeed(Effect.service(Random.Random), seed))

/**
 * Holds each packet back for another time, evenly spread from 0 to `max`; those behind it wait for it, as order is
 * preserved. With `Fault.delay` the two add up: `delay("20 millis")` and `jitter("10 millis", seed)` are 20 to 30 ms.
 *
 * The times follow from the seed, the connection's place among those of the proxy, and the direction: the same seed
 * draws the same times again, whatever other connections do. How bytes fall into packets is the network's affair. A time
 * that is not finite or is negative is a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const jitter = (max: Duration.Input, seed: number | string): Fault => {
  const millis = Options.millis("jitter", "max", max)
  return {
    name: "jitter",
    passage: ({ index }) => {
      const random: Record<Direction, Random.Random> = {
        up: generator(`${seed} ${index} up`),
        down: generator(`${seed} ${index} down`)
      }
      return ({ direction }) => millis * random[direction].nextDoubleUnsafe()
    }
  }
}
