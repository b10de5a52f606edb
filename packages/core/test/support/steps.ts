import { Effect } from "effect"
import { TestClock } from "effect/testing"

/** Moves time in small steps, as real time does, so that what is due in between is seen in between. */
export const run = (millis: number, step = 10) =>
  Effect.forEach(Array.from({ length: millis / step }), () => TestClock.adjust(step), { discard: true })
