import { retrying, storm } from "./retryStorm.ts"
import type { Scenario } from "./scenario.ts"

const CLIENTS = 1000

const run = (seed: number, policyOf: (n: number) => ReturnType<typeof retrying>) =>
  storm({ seed, failureShare: 1, rate: 100, seconds: 20, policyOf }).amplification

export const scenario: Scenario = {
  id: "R2",
  title: "Retries of many clients that call rarely",
  source:
    "As R1, with 1,000 clients that make a call every 10 seconds. A budget for each client, of 5 attempts at first, " +
    "sends 2.61 requests a call: the budget must be one for the backend.",
  run: (seed) => {
    const shared = retrying()
    const own = Array.from({ length: CLIENTS }, () => retrying())
    return {
      measures: {
        "requests a call, all fail": run(seed, () => shared),
        "requests a call, all fail, a budget for each client": run(seed, (n) => own[n % CLIENTS] ?? shared)
      },
      bounds: [
        { measure: "requests a call, all fail", atMost: 1.25 },
        { measure: "requests a call, all fail, a budget for each client", atLeast: 2.61 }
      ]
    }
  }
}
