import { Policy, RetryBudget } from "@breakwater/core"
import { SimulatedServer, Simulation, Traffic } from "@breakwater/testing"
import * as Effect from "effect/Effect"
import { stalling } from "./h2.ts"
import { read } from "./retryStorm.ts"
import type { Scenario } from "./scenario.ts"

const RATE = 500
const SLOW_FROM = 20
const SLOW_UNTIL = 50
const SECONDS = 70

const slow = (random: () => number): number => 10 * stalling(random)

const run = (seed: number, policy: Policy.Policy<unknown>) =>
  Simulation.run(
    Effect.gen(function*() {
      const time = yield* Simulation.time
      const server = yield* SimulatedServer.make({ serviceTime: () => stalling })
      const counts: Array<number> = []
      for (const [at, serviceTime] of [[SLOW_FROM, slow], [SLOW_UNTIL, stalling]] as const) {
        time.after(at * 1000, () => {
          server.serviceTime = () => serviceTime
          counts.push(server.requests)
        })
      }
      const samples = yield* Traffic.poisson({
        rate: () => RATE,
        peak: RATE,
        seconds: SECONDS,
        call: () => Policy.apply(server.call, policy, read)
      })
      const [from = 0, until = 0] = counts
      const calls = Traffic.between(samples, SLOW_FROM, SLOW_UNTIL).length
      return { extra: server.requests / samples.length - 1, extraWhileSlow: (until - from) / calls - 1, calls }
    }),
    { seed }
  )

/** What 95 of 100 requests take while all is well. */
const FIXED = "24 millis"

/** What the budget of the hedge allows for: its share, its floor a second, and what it may have saved. */
const allowedFor = (calls: number, seconds: number): number => 0.05 + (10 * seconds + 100) / calls

export const scenario: Scenario = {
  id: "H3",
  title: "All requests are slow together",
  source:
    "As H2, and for 30 seconds every request takes ten times as long: to ask twice then makes it worse. A hedge after " +
    "a fixed time that was right before, without a budget, would ask twice nearly always.",
  run: (seed) => {
    const { calls, extra, extraWhileSlow } = run(seed, Policy.make({ hedge: {} }))
    const fixed = run(seed, Policy.make({ hedge: { after: FIXED, budget: RetryBudget.unlimited } }))
    return {
      measures: {
        "extra requests": extra,
        "extra requests while all are slow": extraWhileSlow,
        "extra requests while all are slow, after a fixed time without a budget": fixed.extraWhileSlow,
        "of what the budget allows for": extraWhileSlow / allowedFor(calls, SLOW_UNTIL - SLOW_FROM)
      },
      bounds: [
        { measure: "of what the budget allows for", atMost: 1 },
        { measure: "extra requests while all are slow, after a fixed time without a budget", atLeast: 0.9 }
      ]
    }
  }
}
