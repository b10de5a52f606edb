import { Distribution } from "@breakwater/testing"
import * as Overload from "./overload.ts"
import type { Scenario } from "./scenario.ts"

export const scenario: Scenario = {
  id: "A3",
  title: "A server becomes three times slower",
  source:
    "The stages of failsafe-go's Tripwire: 12 threads, 100 calls a second; 50 ms for 20 s, 150 ms for 120 s (80 calls a " +
    "second), 50 ms for 30 s. Figures of the stage with 150 ms.",
  run: Overload.run({
    load: {
      threads: 12,
      stages: [[20, 50], [120, 150], [30, 50]].map(([seconds = 0, millis = 0]) => ({
        seconds,
        rate: 100,
        serviceTime: Distribution.constant(millis)
      }))
    },
    overloaded: 1,
    light: 0,
    p50Without: 6000
  })
}
