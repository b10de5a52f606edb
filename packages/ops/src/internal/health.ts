/**
 * Health checks that many may ask for at once: one runs, its answer is everybody's, and for a moment also that of those
 * who come after, so that no number of requests makes more than ten round trips a second to a backend.
 *
 * @internal
 */
import * as Health from "@breakwater/core/Health"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const FRESH = "100 millis"

export interface Seen {
  /** Epoch milliseconds. */
  readonly at: number
  readonly status: "healthy" | "unhealthy"
  readonly latency_ms: number
}

export class HealthChecks {
  readonly all: Effect.Effect<Health.Report>
  readonly critical: Effect.Effect<Health.Report>
  /** What the last check found of each that is there, by label. */
  readonly last: Map<string, Seen>

  private constructor(
    all: Effect.Effect<Health.Report>,
    critical: Effect.Effect<Health.Report>,
    last: Map<string, Seen>
  ) {
    this.all = all
    this.critical = critical
    this.last = last
  }

  static readonly make = Effect.gen(function*() {
    const last = new Map<string, Seen>()
    const noted = (options: Health.Options) =>
      Effect.tap(Health.check(options), ({ backends }) =>
        Effect.map(Clock.currentTimeMillis, (at) => {
          for (const [label, { latency_ms, status }] of Object.entries(backends)) {
            last.set(label, { at, status, latency_ms })
          }
          if (options.criticalOnly !== true) {
            for (const label of last.keys()) if (!(label in backends)) last.delete(label)
          }
        }))
    return new HealthChecks(
      yield* Effect.cachedWithTTL(noted({}), FRESH),
      yield* Effect.cachedWithTTL(noted({ criticalOnly: true }), FRESH),
      last
    )
  })
}
