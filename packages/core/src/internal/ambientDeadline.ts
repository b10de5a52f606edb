import * as Clock from "effect/Clock"
import * as Context from "effect/Context"

/**
 * The instant at which the caller stops waiting, in milliseconds of the monotonic clock; `Infinity` when nobody set
 * one. A policy writes it and a pool reads it: this reference is all that the two share.
 *
 * @internal
 */
export const AmbientDeadline: Context.Reference<number> = Context.Reference<number>(
  "@breakwater/core/AmbientDeadline",
  { defaultValue: () => Infinity }
)

/** The clock of whoever was given no other. */
const live = Context.get(Context.empty(), Clock.Clock)

/**
 * From the beginning of the process to where Effect's clock counts from, on Node that of the machine: a clock that wraps
 * the live one must read the same instant, since deadlines that were set by one are read by the other.
 */
// oxlint-disable-next-line no-restricted-globals -- as below
const origin = Number(live.monotonicTimeNanosUnsafe()) / 1e6 - performance.now()

/**
 * The monotonic clock in milliseconds, the hand on which every deadline is set: the wall clock jumps.
 *
 * Effect's own clock makes a bigint of it first, which a borrow would do twice: on Node, Bun and Deno, `performance.now`
 * reads the same hand at 0.65, 0.71 and 0.55 of the cost (a loop of five million reads, 2026-11-28, two busy cores).
 *
 * @internal
 */
export const monotonicMillis = (clock: Clock.Clock): number =>
  // oxlint-disable-next-line no-restricted-globals -- for the live clock only: any other is asked
  clock === live ? origin + performance.now() : Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/**
 * Milliseconds until the ambient deadline of a context: `Infinity` without one, 0 or less when it has passed.
 *
 * @internal
 */
export const remainingMillis = (context: Context.Context<never>): number => {
  const at = Context.get(context, AmbientDeadline)
  return at === Infinity ? Infinity : at - monotonicMillis(Context.get(context, Clock.Clock))
}
