import { Policy, RetryBudget } from "@breakwater/core"
import { Distribution, SimulatedServer, Simulation, Traffic } from "@breakwater/testing"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { read } from "./retryStorm.ts"
import type { Line, Scenario } from "./scenario.ts"

/** Calls a second: from 40 to 80 in 25 seconds, and down to none in 50. */
const rate = (seconds: number): number => seconds < 25 ? 40 + 1.6 * seconds : Math.max(0, 80 - 1.6 * (seconds - 25))
const SECONDS = 75
const TIMEOUT = 3

/**
 * A request takes a second and 10 ms for each that is under way: at 66.7 calls a second that is 3 seconds, so that the
 * timeout cuts off what the server goes on with.
 */
const CAPACITY = 200 / 3

/** When the load is below the capacity again. */
const RELIEF = 25 + (80 - CAPACITY) / 1.6

const goodputs = (seed: number, policy: Policy.Policy<unknown>) =>
  Simulation.run(
    Effect.gen(function*() {
      const server = yield* SimulatedServer.make({
        serviceTime: (running) => Distribution.constant(1000 + 10 * running)
      })
      const samples = yield* Traffic.poisson({
        rate,
        peak: 80,
        seconds: SECONDS,
        call: () => Policy.apply(server.call, policy, read)
      })
      return (from: number, to: number) => Traffic.goodput(samples, from, to)
    }),
    { seed }
  )

const lineOf = (name: string, goodput: (from: number, to: number) => number): Line => ({
  name,
  points: Array.from({ length: SECONDS }, (_, second) => [second, goodput(second, second + 1)])
})

const timeout = `${TIMEOUT} seconds` as const

export const scenario: Scenario = {
  id: "R5",
  title: "A server that is slower the more it is asked",
  source:
    "M. Brooker's simulation of a metastable collapse: three attempts of at most 3 seconds, 40 to 80 and back to 0 " +
    "calls a second. Without backoff nothing succeeds any more from 30 to 60 seconds, though the load falls to 22.",
  run: (seed) => {
    const ours = goodputs(seed, Policy.make({ timeout, retry: { times: 2 }, breaker: {} }))
    const bare = goodputs(
      seed,
      Policy.make({ timeout, retry: { times: 2, schedule: Schedule.spaced(0), budget: RetryBudget.unlimited } })
    )
    const back = RELIEF + TIMEOUT
    return {
      measures: {
        "goodput, 5 s from a timeout after the load fell below capacity": ours(back, back + 5),
        "goodput in the overload": ours(20, RELIEF),
        "goodput without backoff and budget, 30 to 60 s": bare(30, 60)
      },
      bounds: [
        { measure: "goodput, 5 s from a timeout after the load fell below capacity", atLeast: 40 },
        { measure: "goodput without backoff and budget, 30 to 60 s", atMost: 1 }
      ],
      series: [{
        title: "R5: goodput",
        x: "seconds",
        y: "calls a second",
        lines: [
          { name: "offered", points: Array.from({ length: SECONDS }, (_, second) => [second, rate(second)]) },
          lineOf("with the policy", ours),
          lineOf("without backoff", bare)
        ]
      }]
    }
  }
}
