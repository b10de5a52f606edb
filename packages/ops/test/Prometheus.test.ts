/** What `/metrics` says of a policy that shows more later than at first. */
import { Policy } from "@breakwater/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Metric } from "effect"
import { format } from "../src/internal/prometheus.ts"

describe("/metrics", () => {
  it.effect("has a gauge under its whole name from the first time that it is there", () =>
    Effect.gen(function*() {
      const first = Policy.snapshot(Policy.make({ name: "search" }))
      let now: Policy.Snapshot = first
      yield* Policy.showMetrics({ name: "search", snapshot: () => now })
      assert.notInclude(yield* format, "hedge_delay")
      now = { ...first, hedgeAfter: Duration.millis(250) }
      assert.include(yield* format, "\nbreakwater_policy_hedge_delay_seconds{breakwater_policy_name=\"search\"} 0.25\n")
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})
