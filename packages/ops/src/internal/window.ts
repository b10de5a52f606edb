/**
 * Times of late: what histograms that count for ever have counted in about the last ten seconds.
 *
 * @internal
 */
import type { Backend, Detail } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as Histogram from "@breakwater/core/Histogram"
import * as Effect from "effect/Effect"
import type { Quantiles } from "../OpsStats.ts"

type Times = Detail["times"]

const EVERY = "2 seconds"

/** How many times of the past are kept. */
const KEPT = 5

const quantilesOf = (
  before: Histogram.Snapshot | undefined,
  now: Histogram.Snapshot | undefined
): typeof Quantiles.Type | null => {
  const of = now === undefined || before === undefined ? now : Histogram.since(before, now)
  if (of === undefined || of.count === 0) return null
  const at = (share: number) => Math.round((Histogram.quantile(of, share) ?? 0) * 1e6) / 1e3
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), count: of.count }
}

export class Windows {
  /** The oldest first. */
  private readonly past = new WeakMap<Backend, Array<Times>>()

  /** Takes note of how things stand, over and over. */
  readonly run: Effect.Effect<never> = Effect.suspend(() => this.note).pipe(
    Effect.andThen(Effect.sleep(EVERY)),
    Effect.forever
  )

  private get note(): Effect.Effect<void> {
    return Effect.flatMap(Backends.list, (entries) =>
      Effect.forEach(
        entries,
        ({ backend }) =>
          Effect.map(backend.detail ?? Effect.undefined, (detail) => {
            if (detail === undefined) return
            const past = this.past.get(backend) ?? []
            past.push(detail.times)
            if (past.length > KEPT) past.shift()
            this.past.set(backend, past)
          }),
        { discard: true }
      ))
  }

  quantiles(backend: Backend, now: Times) {
    const past = this.past.get(backend) ?? []
    // Of one that has just come: since it came.
    const before = (past.length < KEPT ? undefined : past[0]) ?? {}
    return {
      wait: quantilesOf(before.wait, now.wait),
      use: quantilesOf(before.use, now.use),
      create: quantilesOf(before.create, now.create),
      operation: quantilesOf(before.operation, now.operation)
    }
  }
}
