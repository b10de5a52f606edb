import { Policy, Retry, RetryBudget } from "@breakwater/core"
import { Distribution, Simulation } from "@breakwater/testing"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { read } from "./retryStorm.ts"
import type { Scenario } from "./scenario.ts"

class Conflict extends Data.TaggedError("Conflict") {}

const CLIENTS = 100
/** More than any client needs. */
const TIMES = 1000
/** A run takes as long as the unluckiest client: one says little. */
const RUNS = 20

/** Milliseconds until all have written the row, and how often they tried. */
const contend = (seed: number, schedule?: Schedule.Schedule<unknown>) =>
  Simulation.run(
    Effect.gen(function*() {
      const time = yield* Simulation.time
      const random = yield* Random.Random
      const network = Distribution.normal(10, 2)
      const hop = Effect.suspend(() => Effect.sleep(network(() => random.nextDoubleUnsafe())))
      let version = 0
      let writes = 0
      const write = Effect.gen(function*() {
        yield* hop
        const seen = version
        yield* hop
        yield* hop
        writes++
        const isFirst = seen === version
        if (isFirst) version++
        yield* hop
        if (!isFirst) return yield* new Conflict()
      })
      // A conflict says nothing about the load of the backend.
      const policy = Policy.make({ retry: { times: TIMES, schedule, budget: RetryBudget.unlimited } })
      yield* Effect.replicateEffect(Policy.apply(write, policy, read), CLIENTS, { concurrency: "unbounded" })
      return { millis: time.now, writes }
    }),
    { seed: `${seed}` }
  )

const mean = (seed: number, schedule?: Schedule.Schedule<unknown>) => {
  const runs = Array.from({ length: RUNS }, (_, n) => contend(seed * RUNS + n, schedule))
  return {
    millis: runs.reduce((sum, { millis }) => sum + millis, 0) / RUNS,
    writes: runs.reduce((sum, { writes }) => sum + writes, 0) / RUNS
  }
}

export const scenario: Scenario = {
  id: "R6",
  title: "A hundred clients that write one row",
  source:
    "M. Brooker, \"Exponential Backoff And Jitter\", AWS Architecture Blog, 2015: optimistic writes over a network of " +
    "10 ms. Full jitter from 5 ms to 2 s finishes after 4,862 ms with 797 writes, no backoff after 2,430 writes.",
  run: (seed) => {
    const ours = mean(seed)
    const full = mean(seed, Retry.fullJitter({ base: "5 millis", cap: "2 seconds" }))
    const none = mean(seed, Schedule.spaced(0))
    return {
      measures: {
        "time to finish, of that with his full jitter": ours.millis / full.millis,
        "time to finish, ms": ours.millis,
        "writes": ours.writes,
        "time to finish with his full jitter, ms": full.millis,
        "writes with his full jitter": full.writes,
        "time to finish without backoff, ms": none.millis,
        "writes without backoff": none.writes
      },
      bounds: [
        { measure: "time to finish, of that with his full jitter", atMost: 1.1 },
        { measure: "writes without backoff", atLeast: 2000 }
      ]
    }
  }
}
