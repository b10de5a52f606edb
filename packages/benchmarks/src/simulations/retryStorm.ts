/** Brooker's set-up for the rows on retries: clients of a server that fails a share of its requests. */
import { Operation, Policy, type RetryBudget } from "@breakwater/core"
import { Distribution, SimulatedServer, Simulation, Traffic } from "@breakwater/testing"
import * as Effect from "effect/Effect"

export const read = Operation.make("read", { idempotent: true })

/** How many attempts may follow the first, as in his simulation. */
const TIMES = 3

export const retrying = (budget?: RetryBudget.RetryBudget): Policy.Policy<never> =>
  Policy.make({ retry: { times: TIMES, budget } })

interface Storm {
  readonly seed: number
  /** Calls a second, of all clients together. */
  readonly rate: number
  readonly seconds: number
  readonly failureShare: number
  /** The policy of the client that makes the `n`th call. */
  readonly policyOf: (n: number) => Policy.Policy<never>
}

/** Requests that reached the server for each call, and the share of calls that succeeded. */
export const storm = ({ failureShare, policyOf, rate, seconds, seed }: Storm) =>
  Simulation.run(
    Effect.gen(function*() {
      const server = yield* SimulatedServer.make({ serviceTime: () => Distribution.exponential(10) })
      server.failureShare = failureShare
      const samples = yield* Traffic.poisson({
        rate: () => rate,
        peak: rate,
        seconds,
        call: (n) => Policy.apply(server.call, policyOf(n), read)
      })
      return {
        amplification: server.requests / samples.length,
        success: samples.filter(({ ok }) => ok).length / samples.length
      }
    }),
    { seed }
  )
