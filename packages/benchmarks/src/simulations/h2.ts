import { Policy } from "@breakwater/core"
import { Distribution, SimulatedServer, Simulation, Traffic } from "@breakwater/testing"
import * as Effect from "effect/Effect"
import { read } from "./retryStorm.ts"
import type { Scenario } from "./scenario.ts"

const RATE = 1000
const SECONDS = 100

/** One request of a hundred meets a stall, whoever sends it. */
export const stalling = Distribution.plus(
  Distribution.logNormal(10, 0.5),
  Distribution.mixture([99, Distribution.constant(0)], [1, Distribution.uniform(500, 2000)])
)

const run = (seed: number, policy: Policy.Policy<unknown>) =>
  Simulation.run(
    Effect.gen(function*() {
      const server = yield* SimulatedServer.make({ serviceTime: () => stalling })
      const call = Policy.apply(server.call, policy, read)
      const samples = yield* Traffic.poisson({ rate: () => RATE, peak: RATE, seconds: SECONDS, call: () => call })
      return {
        p99: Traffic.percentile(samples, 0.99),
        p999: Traffic.percentile(samples, 0.999),
        extra: server.requests / samples.length - 1
      }
    }),
    { seed }
  )

export const scenario: Scenario = {
  id: "H2",
  title: "One request of a hundred stalls",
  source:
    "Latencies log-normal around 10 ms, 1 % of requests stalled for 0.5 to 2 s. After J. Dean and L. A. Barroso, \"The " +
    "Tail at Scale\", 2013; without a hedge p99.9 is 1,867 ms.",
  run: (seed) => {
    const hedged = run(seed, Policy.make({ hedge: {} }))
    const bare = run(seed, Policy.make({}))
    return {
      measures: {
        "p99.9, ms": hedged.p999,
        "p99.9 without a hedge, ms": bare.p999,
        "p99, ms": hedged.p99,
        "p99 without a hedge, ms": bare.p99,
        "extra requests": hedged.extra
      },
      bounds: [
        { measure: "p99.9, ms", atMost: 50 },
        { measure: "p99.9 without a hedge, ms", atLeast: 1700 },
        { measure: "extra requests", atMost: 0.05 }
      ]
    }
  }
}
