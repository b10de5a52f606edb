/**
 * Backends on their way to being warm, and which of them are still cold.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { PoolError } from "../../pool/PoolError.ts"
import type { Entry } from "../Backends.ts"

/** When a backend that did not get warm is tried again. */
export const again: Schedule.Schedule<unknown> = Schedule.spaced("500 millis")

export class Warming {
  private readonly entries: ReadonlyArray<Entry>
  private readonly within: Duration.Duration
  private readonly cold: Set<Entry>

  constructor(entries: ReadonlyArray<Entry>, within: Duration.Duration) {
    this.entries = entries
    this.within = within
    this.cold = new Set(entries)
  }

  /** Fails with the first critical one that does not get warm. */
  get critical(): Effect.Effect<void, PoolError> {
    return this.each(true, (entry) => this.warm(entry))
  }

  /** Goes on without those that do not get warm in time. */
  get criticalInTime(): Effect.Effect<void> {
    return this.each(true, (entry) => this.inTime(Effect.retry(this.warm(entry), again)))
  }

  get optionalInTime(): Effect.Effect<void> {
    return this.each(false, (entry) => this.inTime(this.warm(entry)))
  }

  /** The labels of those that are cold. */
  coldOnes(criticalOnly: boolean): ReadonlyArray<string> {
    return Array.from(this.cold)
      .filter(({ backend }) => backend.critical || !criticalOnly)
      .map(({ label }) => label)
  }

  private warm(entry: Entry): Effect.Effect<void, PoolError> {
    return Effect.andThen(entry.backend.warm, Effect.sync(() => void this.cold.delete(entry)))
  }

  private inTime(warm: Effect.Effect<void, PoolError>): Effect.Effect<unknown> {
    return Effect.exit(Effect.timeoutOption(warm, this.within))
  }

  private each<E>(critical: boolean, f: (entry: Entry) => Effect.Effect<unknown, E>): Effect.Effect<void, E> {
    const chosen = this.entries.filter(({ backend }) => backend.critical === critical)
    return Effect.forEach(chosen, f, { concurrency: "unbounded", discard: true })
  }
}
