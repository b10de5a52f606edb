import { Duration, Effect, Scheduler } from "effect"

/** Yields once, at operation `at`. */
export const yieldAt = (at: number): Scheduler.Scheduler & { readonly operations: () => number } => {
  const base = new Scheduler.MixedScheduler("async")
  let operations = 0
  return {
    executionMode: "async",
    makeDispatcher: () => base.makeDispatcher(),
    shouldYield: () => operations++ === at,
    operations: () => operations
  }
}

/**
 * A clock on which backoffs are over at once and timeouts never come, and that knows how many still wait and how often
 * it was read.
 */
export const countingClock = () => {
  const clock = {
    waiting: 0,
    reads: 0,
    currentTimeMillisUnsafe: () => 0,
    currentTimeMillis: Effect.succeed(0),
    currentTimeNanosUnsafe: () => 0n,
    currentTimeNanos: Effect.succeed(0n),
    monotonicTimeNanosUnsafe: () => (clock.reads++, 0n),
    monotonicTimeNanos: Effect.succeed(0n),
    sleep: (duration: Duration.Duration) =>
      Duration.toMillis(duration) < 1000 ? Effect.void : Effect.callback<void>(() => {
        clock.waiting++
        return Effect.sync(() => clock.waiting--)
      })
  }
  return clock
}
