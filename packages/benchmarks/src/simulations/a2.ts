import { Distribution } from "@breakwater/testing"
import * as Overload from "./overload.ts"
import type { Scenario } from "./scenario.ts"

const serviceTime = Distribution.logNormalOfMean(20, 1)

export const scenario: Scenario = {
  id: "A2",
  title: "Forty servers at twice their capacity",
  source:
    "A1 with 40 servers (2,000 calls a second); 1,000, 1,800, 4,000 and 1,200 calls a second for 15 s each. Figures of " +
    "the stage with 4,000.",
  costly: true,
  run: Overload.run({
    load: { threads: 40, stages: [1000, 1800, 4000, 1200].map((rate) => ({ seconds: 15, rate, serviceTime })) },
    overloaded: 2,
    light: 0,
    p50Without: 2000
  })
}
