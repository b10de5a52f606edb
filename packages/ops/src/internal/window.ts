/**
 * Times of late: what histograms that count for ever have counted in about the last ten seconds.
 *
 * @internal
 */
import type { Backend, Detail } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as Histogram from "@breakwater/core/Histogram"
import type * as Sizing from "@breakwater/core/Sizing"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
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
  // From the sum, exact; the others are read from buckets.
  const mean = Math.round(of.sum / of.count * 1e6) / 1e3
  return { mean, p50: at(0.5), p95: at(0.95), p99: at(0.99), count: of.count }
}

interface Past {
  /** Epoch milliseconds. */
  readonly at: number
  readonly times: Times
  readonly timedOut: number
}

export class Windows {
  /** The oldest first. */
  private readonly past = new WeakMap<Backend, Array<Past>>()

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
          Effect.gen({ self: this }, function*() {
            const detail = yield* backend.detail ?? Effect.undefined
            if (detail === undefined) return
            const { timedOut } = yield* backend.stats
            const past = this.past.get(backend) ?? []
            past.push({ at: yield* Clock.currentTimeMillis, times: detail.times, timedOut })
            if (past.length > KEPT) past.shift()
            this.past.set(backend, past)
          }),
        { discard: true }
      ))
  }

  /** Of one that has just come: nothing, so that all it did is of late. */
  private before(backend: Backend): Times {
    const past = this.past.get(backend) ?? []
    return (past.length < KEPT ? undefined : past[0]?.times) ?? {}
  }

  quantiles(backend: Backend, now: Times) {
    const before = this.before(backend)
    return {
      wait: quantilesOf(before.wait, now.wait),
      use: quantilesOf(before.use, now.use),
      heldIdle: quantilesOf(before.heldIdle, now.heldIdle),
      create: quantilesOf(before.create, now.create),
      operation: quantilesOf(before.operation, now.operation)
    }
  }

  /** Of the time that connections were held, those that came back of late, in which nothing ran on them. */
  shareHeldIdle(backend: Backend, now: Times): number | null {
    const before = this.before(backend)
    if (now.use === undefined || now.heldIdle === undefined) return null
    const held = now.use.sum - (before.use?.sum ?? 0)
    return held > 0 ? Math.min(1, (now.heldIdle.sum - (before.heldIdle?.sum ?? 0)) / held) : null
  }

  /** What a pool did of late, to size it by; `undefined` for one that has just come. */
  observed(backend: Backend, now: Past): Sizing.Observed | undefined {
    const past = this.past.get(backend) ?? []
    const [before] = past
    if (before === undefined || past.length < KEPT || now.at <= before.at) return undefined
    const { create, use } = this.quantiles(backend, now.times)
    return { window: Duration.millis(now.at - before.at), use, create, timedOut: now.timedOut - before.timedOut }
  }
}
