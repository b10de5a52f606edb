import { Outcome, OutlierEjection } from "@breakwater/core"
import { Distribution, SimulatedServer, Simulation, Traffic } from "@breakwater/testing"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Line, Scenario } from "./scenario.ts"

const HOSTS = 10
const SICK = 0
const RATE = 200
const SECONDS = 60

/** The first comparison comes one interval after the first call. */
const INTERVAL = 10

const cluster = Effect.forEach(
  Array.from({ length: HOSTS }, (_, n) => n),
  (n) =>
    Effect.map(SimulatedServer.make({ serviceTime: () => Distribution.exponential(10) }), (server) => {
      if (n === SICK) server.failureShare = 0.5
      return { key: `host ${n}`, server }
    })
)

const storm = (seed: number, ejecting: boolean) =>
  Simulation.run(
    Effect.gen(function*() {
      const ejection = OutlierEjection.make()
      const hosts = yield* cluster
      let mostEjected = 0
      const call = Effect.gen(function*() {
        const healthy = yield* Effect.filter(
          hosts,
          ({ key }) => Effect.map(OutlierEjection.isEjected(ejection, key), (ejected) => !ejected)
        )
        mostEjected = Math.max(mostEjected, HOSTS - healthy.length)
        const { key, server } = healthy[Math.floor((yield* Random.next) * healthy.length)]!
        return yield* Effect.onExit(server.call, (exit) =>
          ejecting ? OutlierEjection.record(ejection, key, Outcome.fromExit(exit)) : Effect.void)
      })
      const samples = yield* Traffic.poisson({
        rate: () =>
          RATE,
        peak: RATE,
        seconds: SECONDS,
        call: () => call
      })
      return { mostEjected, samples }
    }),
    { seed }
  )

const errorShare = (samples: Iterable<Traffic.Sample>, from: number, to: number): number => {
  const seen = Traffic.between(samples, from, to)
  return seen.filter(({ ok }) => !ok).length / seen.length
}

const line = (name: string, samples: ReadonlyArray<Traffic.Sample>): Line => ({
  name,
  points: Array.from({ length: SECONDS }, (_, at) => [at, errorShare(samples, at, at + 1)] as const)
})

export const scenario: Scenario = {
  id: "O",
  title: "One host of ten fails half of its calls",
  source:
    "Envoy, \"Outlier detection\": intervals of 10 s, ejections of 30 s at first, a tenth of the hosts at most. " +
    "200 calls a second, each to a host drawn from those that are in; the sick one stays sick, and is given back after 30 s.",
  run: (seed) => {
    const [guarded, bare] = [storm(seed, true), storm(seed, false)]
    return {
      measures: {
        "share of errors in the first interval": errorShare(guarded.samples, 0, INTERVAL),
        "share of errors while it is out": errorShare(guarded.samples, INTERVAL + 1, INTERVAL + 29),
        "share of errors in the end": errorShare(guarded.samples, INTERVAL + 41, SECONDS),
        "share of errors without": errorShare(bare.samples, INTERVAL + 1, SECONDS),
        "most hosts out at once": guarded.mostEjected
      },
      bounds: [
        { measure: "share of errors in the first interval", atLeast: 0.03 },
        { measure: "share of errors while it is out", atMost: 0.001 },
        { measure: "share of errors in the end", atMost: 0.001 },
        { measure: "share of errors without", atLeast: 0.04, atMost: 0.06 },
        { measure: "most hosts out at once", atMost: 1, atLeast: 1 }
      ],
      series: [{
        title: "Errors, of all calls",
        x: "seconds",
        y: "share",
        lines: [line("with ejection", guarded.samples), line("without", bare.samples)]
      }]
    }
  }
}
