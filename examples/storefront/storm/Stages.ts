/** The course of the storm, in seconds of one that lasts 30: shorter and longer ones are scaled. */
import type { FaultProxy } from "@breakwater/testing"
import type { PostgresServerError } from "@breakwater/testing/PostgresServerError"
import { type Config, Duration, Effect, Schedule } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import * as Ledger from "./Ledger.ts"
import type { Scene } from "./Scene.ts"

export type FaultName = "kill" | "cut" | "blackhole" | "exhausted"

type Failure = PostgresServerError | FaultProxy.FaultProxyError | SqlError | Config.ConfigError

export interface Fault {
  readonly name: FaultName
  readonly what: string
  readonly seconds: number
  /** Begins, lasts, ends. */
  readonly run: (lasts: Duration.Duration) => Effect.Effect<void, Failure>
}

export interface Stage {
  readonly label: string
  readonly seconds: number
  readonly fault?: Fault
}

export const FULL_LENGTH = 30

const CUT_EVERY = "75 millis"

const faults = ({ mend, proxy, server }: Scene): Record<FaultName, Fault> => ({
  kill: {
    name: "kill",
    what: "Postgres killed with -9: down",
    seconds: 1.5,
    run: (lasts) => Effect.andThen(Effect.andThen(server.kill, Effect.sleep(lasts)), server.start)
  },
  cut: {
    name: "cut",
    what: "every connection cut, repeatedly",
    seconds: 1.5,
    run: (lasts) => Effect.asVoid(Effect.timeoutOption(Effect.repeat(proxy.reset, Schedule.spaced(CUT_EVERY)), lasts))
  },
  blackhole: {
    name: "blackhole",
    what: "black hole: nothing passes",
    seconds: 3,
    run: (lasts) => Effect.andThen(Effect.andThen(proxy.blackHole, Effect.sleep(lasts)), mend)
  },
  exhausted: {
    name: "exhausted",
    what: "pool exhausted by slow orders",
    seconds: 3,
    run: (lasts) => Ledger.blockOrders(server.url, lasts)
  }
})

export const stages = (scene: Scene): ReadonlyArray<Stage> => {
  const { blackhole, cut, exhausted, kill } = faults(scene)
  return [
    { label: "warm-up", seconds: 3 },
    { label: "steady load", seconds: 4 },
    ...(scene.server.given ? [] : [{ label: "killed and restarted", seconds: 5, fault: kill }]),
    { label: "connections cut", seconds: 4, fault: cut },
    { label: "black hole", seconds: 6, fault: blackhole },
    { label: "pool exhausted", seconds: 6, fault: exhausted }
  ]
}

/** What a storm over this server leaves out: one that was given to us is never killed. */
export const leftOut = (scene: Scene): ReadonlyArray<FaultName> => scene.server.given ? ["kill"] : []
