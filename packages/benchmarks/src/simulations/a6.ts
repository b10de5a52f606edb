import { Distribution } from "@breakwater/testing"
import * as Overload from "./overload.ts"
import type { Scenario } from "./scenario.ts"

const serviceTime = Distribution.mixture(
  [70, Distribution.constant(40)],
  [20, Distribution.constant(80)],
  [7, Distribution.constant(200)],
  [3, Distribution.constant(500)]
)

export const scenario: Scenario = {
  id: "A6",
  title: "Short and long calls mixed",
  source:
    "Netflix' \"Performance Under Load\", as failsafe-go's Tripwire has it: 8 threads, 40, 80, 200 and 500 ms at 70, 20, " +
    "7 and 3 % (110 calls a second); 60, 200 and 100 calls a second for 100 s each. Figures of the stage with 200.",
  costly: true,
  run: Overload.run({
    load: { threads: 8, stages: [60, 200, 100].map((rate) => ({ seconds: 100, rate, serviceTime })) },
    overloaded: 1,
    light: 0,
    p50Without: 6000
  })
}
