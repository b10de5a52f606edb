import { Operation, Policy, Throttle } from "@breakwater/core"
import { Distribution, SimulatedServer, Simulation, Traffic } from "@breakwater/testing"
import * as Effect from "effect/Effect"
import type { Scenario } from "./scenario.ts"

const operation = Operation.make("call", { idempotent: true })
const rate = 100
/** Seconds: that of the default. */
const window = 120

/** Healthy for a window, down for one, and back. */
const outage = (seed: number, seconds: number): ReadonlyArray<Traffic.Sample> =>
  Simulation.run(
    Effect.gen(function*() {
      const policy = Throttle.make()
      const time = yield* Simulation.time
      const server = yield* SimulatedServer.make({ serviceTime: () => Distribution.exponential(20) })
      time.after(1000 * window, () => server.down = true)
      time.after(2000 * window, () => server.down = false)
      const call = () => Policy.apply(server.call, policy, operation)
      return yield* Traffic.poisson({ rate: () => rate, peak: rate, seconds: 2 * window + seconds, call })
    }),
    { seed }
  )

/** Seconds to recover by the formula as it is published, on the mean of the calls. */
const published = (): number => {
  const requests = rate * window
  let accepted: ReadonlyArray<number> = Array.from({ length: window }, () => 0)
  for (let second = 0;; second++) {
    const accepts = accepted.reduce((sum, one) => sum + one, 0)
    const share = 1 - Math.max(0, (requests - 2 * accepts) / (requests + 1))
    if (share >= 0.97) return second
    accepted = [...accepted.slice(1), share * rate]
  }
}

/** Five times as many calls as the server can do, which refuses the others at once: sent and accepted a second. */
const overload = (seed: number, multiplier: number | undefined) =>
  Simulation.run(
    Effect.gen(function*() {
      const policy = Throttle.make({ multiplier })
      const time = yield* Simulation.time
      const server = yield* SimulatedServer.make({
        threads: 10,
        queue: 10,
        serviceTime: () => Distribution.constant(100)
      })
      let before = 0
      time.after(1500 * window, () => before = server.requests)
      const seconds = 2 * window
      const call = () => Policy.apply(server.call, policy, operation)
      const samples = yield* Traffic.poisson({ rate: () => 5 * rate, peak: 5 * rate, seconds, call })
      const span = seconds - 1.5 * window
      return { sent: (server.requests - before) / span, accepted: Traffic.goodput(samples, seconds - span, seconds) }
    }),
    { seed }
  )

const recovery = (samples: ReadonlyArray<Traffic.Sample>): number =>
  Array.from({ length: window }, (_, n) => 2 * window + n).findIndex((at) => {
    const calls = Traffic.between(samples, at, at + 1)
    return calls.filter(({ ok }) => ok).length >= 0.97 * calls.length
  })

export const scenario: Scenario = {
  id: "T",
  title: "An outage as long as the throttle looks back",
  source:
    "Google's Site Reliability Engineering, \"Handling Overload\": 100 calls a second, everything refused for 2 minutes, " +
    "then nothing. And the steady state of its formula: 500 calls a second for a server that can do 100, which is sent the " +
    "multiplier times 100.",
  costly: true,
  run: (seed) => {
    const samples = outage(seed, window)
    const steady = overload(seed, undefined)
    const strict = overload(seed, 1.1)
    const down = Traffic.between(samples, 1.95 * window, 2 * window)
    return {
      measures: {
        "seconds to recover, formula as published": published(),
        "share held back at the end of the outage": down.filter(({ label }) => label === "Throttled").length /
          down.length,
        "seconds to recover": recovery(samples),
        "sent a second in overload": steady.sent,
        "accepted a second in overload": steady.accepted,
        "sent a second, multiplier 1.1": strict.sent,
        "accepted a second, multiplier 1.1": strict.accepted
      },
      bounds: [
        { measure: "seconds to recover, formula as published", atLeast: 600 },
        { measure: "share held back at the end of the outage", atLeast: 0.85 },
        { measure: "seconds to recover", atLeast: 0, atMost: window / 10 },
        { measure: "sent a second in overload", atMost: 210 },
        { measure: "accepted a second in overload", atLeast: 97 },
        { measure: "sent a second, multiplier 1.1", atMost: 120 },
        { measure: "accepted a second, multiplier 1.1", atLeast: 95 }
      ],
      series: [{
        title: "Calls served around an outage of two minutes",
        x: "seconds",
        y: "a second",
        lines: [{
          name: "throttle",
          points: Array.from(
            { length: (3 * window) / 3 },
            (_, n) => [3 * n, Traffic.goodput(samples, 3 * n, 3 * n + 3)] as const
          )
        }]
      }]
    }
  }
}
