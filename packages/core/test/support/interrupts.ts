import { assert } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Exit, Fiber, Metric, Scheduler } from "effect"

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

/** What one call leaves behind: leases of its own, and whatever waits or runs. */
const makeWorld = (at: number) => {
  const scheduler = yieldAt(at)
  const clock = countingClock()
  let fibers = 0
  let leases = 0
  const context = Context.empty().pipe(
    Context.add(Scheduler.Scheduler, scheduler),
    Context.add(Clock.Clock, clock),
    Context.add(Metric.FiberRuntimeMetrics, { recordFiberStart: () => fibers++, recordFiberEnd: () => fibers-- })
  )
  return {
    lease: <A, E>(work: () => Effect.Effect<A, E>) =>
      Effect.acquireUseRelease(Effect.sync(() => leases++), work, () => Effect.sync(() => leases--)),
    /** Interrupts a call where it yields. */
    interrupt: <A, E>(call: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> => {
      const fiber = Effect.runForkWith(context)(call)
      fiber.interruptUnsafe()
      return Effect.runPromise(Fiber.await(fiber))
    },
    left: () => ({ leases, timers: clock.waiting, fibers }),
    /** The yield did not come any more: the whole call has been swept. */
    isOver: () => scheduler.operations() <= at
  }
}

export type World = ReturnType<typeof makeWorld>

/** Interrupts a call at one operation after the other. Gives how many interrupts came in time. */
export const interruptEverywhere = async (
  once: (world: World, where: string) => Promise<Exit.Exit<unknown, unknown>>
): Promise<number> => {
  let interrupted = 0
  for (let at = 0;; at++) {
    const world = makeWorld(at)
    const where = `interrupted at operation ${at}`
    const exit = await once(world, where)
    if (Exit.isSuccess(exit)) {
      if (world.isOver()) return interrupted
    } else {
      assert.isTrue(Exit.hasInterrupts(exit), where)
      interrupted++
    }
  }
}
