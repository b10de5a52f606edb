/**
 * The hand on which every instant of core is read, for authors of backends: deadlines, activity, the times of a pool. It
 * only goes forward, where the wall clock jumps, and a `TestClock` moves it.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import { monotonicMillis } from "../internal/ambientDeadline.ts"

/**
 * What a clock shows, in milliseconds since some moment. As Effect's `monotonicTimeNanosUnsafe`, at less cost where the
 * clock is the live one.
 *
 * @since 0.1.0
 * @category reading
 */
export const millis: (clock: Clock.Clock) => number = monotonicMillis
