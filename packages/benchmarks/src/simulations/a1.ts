import { Distribution } from "@breakwater/testing"
import * as Overload from "./overload.ts"
import type { Scenario } from "./scenario.ts"

const serviceTime = Distribution.logNormalOfMean(20, 1)

export const scenario: Scenario = {
  id: "A1",
  title: "Two servers at twice their capacity",
  source:
    "The example of Netflix' concurrency-limits: two servers, log-normal with a mean of 20 ms and a deviation of 1 " +
    "(100 calls a second); 50, 90, 200 and 100 calls a second for 100 s each. Figures of the stage with 200.",
  costly: true,
  run: Overload.run({
    load: { threads: 2, stages: [50, 90, 200, 100].map((rate) => ({ seconds: 100, rate, serviceTime })) },
    overloaded: 2,
    light: 0,
    p50Without: 12_000
  })
}
