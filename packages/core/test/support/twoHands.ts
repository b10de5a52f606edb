/**
 * A clock whose hands part, for the machine that sleeps and the process that freezes: `TestClock` moves both hands at
 * once and fires on the way whatever is due.
 */
import { Clock, Effect } from "effect"

export interface TwoHands extends Clock.Clock {
  /** The machine sleeps: only the wall clock goes on. Negative: the wall clock is set back. */
  readonly suspend: (millis: number) => void
  /** The process is frozen: both hands go on, and no timer fires. */
  readonly freeze: (millis: number) => void
}

const NANOS = 1_000_000n

/** Over the `TestClock` of the test, which goes on moving both hands. */
export const twoHands: Effect.Effect<TwoHands> = Effect.map(Clock.clockWith(Effect.succeed), (clock) => {
  let wall = 0
  let monotonic = 0
  const currentTimeMillisUnsafe = () => clock.currentTimeMillisUnsafe() + wall
  const currentTimeNanosUnsafe = () => clock.currentTimeNanosUnsafe() + BigInt(wall) * NANOS
  const monotonicTimeNanosUnsafe = () => clock.monotonicTimeNanosUnsafe() + BigInt(monotonic) * NANOS
  return {
    currentTimeMillisUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanosUnsafe,
    currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
    monotonicTimeNanosUnsafe,
    monotonicTimeNanos: Effect.sync(monotonicTimeNanosUnsafe),
    sleep: (duration) => clock.sleep(duration),
    suspend: (millis) => {
      wall += millis
    },
    freeze: (millis) => {
      wall += millis
      monotonic += millis
    }
  }
})
