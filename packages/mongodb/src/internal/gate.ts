/**
 * Where calls wait while the backend is paused: the driver cannot pause its pool, so they do not get as far as that.
 *
 * @internal
 */
import type { PoolError } from "@breakwater/core/PoolError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Monitor } from "./monitor.ts"

export class Gate {
  private readonly latch = Latch.makeUnsafe(true)
  private readonly monitor: Monitor
  private readonly limit: Duration.Duration
  paused = false

  /** `waitTimeout` is in milliseconds. */
  constructor(monitor: Monitor, waitTimeout: number) {
    this.monitor = monitor
    this.limit = Duration.millis(waitTimeout)
  }

  pause(): void {
    this.paused = true
    this.latch.closeUnsafe()
  }

  resume(): void {
    this.paused = false
    this.latch.openUnsafe()
  }

  /** Fails as `AcquireTimeout` or `QueueFull`, as the wait for a connection does. */
  readonly pass: Effect.Effect<void, PoolError> = Effect.suspend(() => {
    if (!this.paused) return Effect.void
    const { monitor } = this
    if (monitor.held >= monitor.limits.maxWaiting) return Effect.fail(monitor.full())
    const resumed = Effect.repeat(this.latch.await, { while: () => this.paused }).pipe(
      Effect.timeoutOrElse({ duration: this.limit, orElse: () => Effect.fail(monitor.pausedFor(this.limit)) }),
      Effect.onInterrupt(() => Effect.sync(() => monitor.cancelled()))
    )
    return Effect.acquireUseRelease(
      Effect.sync(() => monitor.held++),
      () => resumed,
      () => Effect.sync(() => monitor.held--)
    )
  })
}
