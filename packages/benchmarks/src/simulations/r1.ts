import { RetryBudget } from "@breakwater/core"
import { retrying, storm } from "./retryStorm.ts"
import type { Scenario } from "./scenario.ts"

const run = (seed: number, failureShare: number, budget?: RetryBudget.RetryBudget) => {
  const policy = retrying(budget)
  return storm({ seed, failureShare, rate: 1000, seconds: 10, policyOf: () => policy })
}

export const scenario: Scenario = {
  id: "R1",
  title: "Retries while all or some requests fail",
  source:
    "M. Brooker, \"Fixing retries with token buckets and circuit breakers\", 2022: 100 clients make 10 calls a second " +
    "each, of a network of 10 ms. Three retries without a budget send four requests a call.",
  run: (seed) => {
    const [outage, some] = [run(seed, 1), run(seed, 0.1)]
    return {
      measures: {
        "requests a call, all fail": outage.amplification,
        "requests a call, all fail, without a budget": run(seed, 1, RetryBudget.unlimited).amplification,
        "share of calls that succeed, a tenth fails": some.success,
        "requests a call, a tenth fails": some.amplification
      },
      bounds: [
        { measure: "requests a call, all fail", atMost: 1.25 },
        { measure: "requests a call, all fail, without a budget", atLeast: 3.99 },
        { measure: "share of calls that succeed, a tenth fails", atLeast: 0.995 }
      ]
    }
  }
}
