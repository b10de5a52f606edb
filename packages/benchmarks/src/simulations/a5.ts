import { AdaptiveLimit, Policy, Timeout } from "@breakwater/core"
import { Distribution, Traffic } from "@breakwater/testing"
import { type Load, type Storm, storm } from "./limits.ts"
import type { Scenario } from "./scenario.ts"

const before = 60
const hung = 1800
const after = 60

/** Twenty milliseconds, then `millis` for half an hour, then twenty again. */
const load = (millis: number, seconds = hung): Load => ({
  threads: Infinity,
  stages: [[before, 20], [seconds, millis], [after, 20]].map(([lasts = 0, each = 0]) => ({
    seconds: lasts,
    rate: 100,
    serviceTime: Distribution.constant(each)
  }))
})

const largest = (values: ReadonlyArray<number>): number => Math.max(...values.slice(before + 10, before + hung))

/** Seconds after the end of the trouble until a second in which all but 3 % of the calls are served. */
const recovery = ({ samples }: Storm): number => {
  const end = before + hung
  const seconds = Array.from({ length: after }, (_, n) => Traffic.between(samples, end + n, end + n + 1))
  return seconds.findIndex((calls) => calls.filter(({ ok }) => ok).length >= 0.97 * calls.length)
}

export const scenario: Scenario = {
  id: "A5",
  title: "Every call takes five seconds, for half an hour",
  source:
    "Issue 137 of Netflix' concurrency-limits, where the limit grows to its maximum: 100 calls a second, 20 ms, then all " +
    "calls 5 s for 30 minutes, answered at last or cut by a timeout of 5 s; then 20 ms again.",
  costly: true,
  run: (seed) => {
    const none = storm(load(5000, 60), seed)
    const answered = storm(load(5000), seed, AdaptiveLimit.make())
    const cut = storm(load(3_600_000), seed, Policy.compose(AdaptiveLimit.make(), Timeout.make("5 seconds")))
    const limitBefore = answered.limits[before - 1]!
    return {
      measures: {
        "most calls at once without a limit": largest(none.inFlight),
        "limit before": limitBefore,
        "largest limit, answered": largest(answered.limits),
        "largest limit, cut": largest(cut.limits),
        "limit after 30 minutes, answered": answered.limits[before + hung - 1]!,
        "limit after 30 minutes, cut": cut.limits[before + hung - 1]!,
        "seconds to recover, answered": recovery(answered),
        "seconds to recover, cut": recovery(cut)
      },
      bounds: [
        { measure: "most calls at once without a limit", atLeast: 450 },
        { measure: "largest limit, answered", atMost: limitBefore },
        { measure: "largest limit, cut", atMost: limitBefore }
      ]
    }
  }
}
