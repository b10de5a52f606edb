/** What can be broken, and which requests show that it is well again. */
import type { FakeHttp, FaultProxy } from "@breakwater/testing"
import type { MongoServerError } from "@breakwater/testing/MongoServerError"
import type { PostgresServerError } from "@breakwater/testing/PostgresServerError"
import type { RedisServerError } from "@breakwater/testing/RedisServerError"
import { type Config, type Duration, Effect, Option, Schedule } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import * as Ledger from "./Ledger.ts"
import type { Sample } from "./Sample.ts"
import type { Scene } from "./Scene.ts"
import type { Judge } from "./Watch.ts"

export type Failure =
  | PostgresServerError
  | RedisServerError
  | MongoServerError
  | FakeHttp.FakeHttpError
  | FaultProxy.FaultProxyError
  | SqlError
  | Config.ConfigError

export interface Fault {
  /** The backend, and what happens to it. */
  readonly name: string
  readonly what: string
  /** Begins, lasts, ends. */
  readonly run: (lasts: Duration.Duration) => Effect.Effect<void, Failure>
  readonly judge: Judge
}

/** What a storm cannot break, and why. */
export interface LeftOut {
  readonly name: string
  readonly why: string
}

const anything: Judge = ({ failure }) => failure === undefined

/** The shop works without Redis: only the cache's own word shows that it is back. */
const cached: Judge = ({ cache }) => cache === undefined ? undefined : cache !== "bypass"

const ofKind = (wanted: Sample["kind"]): Judge => ({ failure, kind }) =>
  kind === wanted ? failure === undefined : undefined

/** Down for a while. */
const killed = <E>(
  server: { readonly kill: Effect.Effect<void, E>; readonly start: Effect.Effect<void, E> },
  lasts: Duration.Duration
) => Effect.andThen(Effect.andThen(server.kill, Effect.sleep(lasts)), server.start)

const CUT_EVERY = "75 millis"

const cutRepeatedly = ({ reset }: FaultProxy.FaultProxy, lasts: Duration.Duration) =>
  Effect.asVoid(Effect.timeoutOption(Effect.repeat(reset, Schedule.spaced(CUT_EVERY)), lasts))

const GIVEN = "it was given and not started here"

export const postgres = ({ postgres: { mend, proxy, server } }: Scene) => ({
  kill: server.given ? { name: "postgres.kill", why: GIVEN } : {
    name: "postgres.kill",
    what: "Postgres killed with -9",
    run: (lasts: Duration.Duration) => killed(server, lasts),
    judge: anything
  },
  cut: {
    name: "postgres.cut",
    what: "Postgres' connections cut",
    run: (lasts: Duration.Duration) => cutRepeatedly(proxy, lasts),
    judge: anything
  },
  blackHole: {
    name: "postgres.blackhole",
    what: "nothing to Postgres passes",
    run: (lasts: Duration.Duration) => Effect.andThen(Effect.andThen(proxy.blackHole, Effect.sleep(lasts)), mend),
    judge: anything
  },
  exhausted: {
    name: "postgres.exhausted",
    what: "slow orders exhaust the pool",
    run: (lasts: Duration.Duration) => Ledger.blockOrders(server.url, lasts),
    judge: anything
  }
})

const NO_REDIS = "there is no redis-server here"

export const redis = ({ redis: found }: Scene): { readonly [K in "cut" | "kill"]: Fault | LeftOut } => {
  if (Option.isNone(found)) {
    return { cut: { name: "redis.cut", why: NO_REDIS }, kill: { name: "redis.kill", why: NO_REDIS } }
  }
  const { mend, proxy, server } = found.value
  return {
    cut: {
      name: "redis.cut",
      what: "Redis cut off",
      run: (lasts) =>
        Effect.andThen(Effect.andThen(Effect.andThen(proxy.refuse, proxy.reset), Effect.sleep(lasts)), mend),
      judge: cached
    },
    kill: server.given ? { name: "redis.kill", why: GIVEN } : {
      name: "redis.kill",
      what: "Redis killed with -9",
      run: (lasts) => killed(server, lasts),
      judge: cached
    }
  }
}

export const payments = ({ payments: { failHalf, kill, mend, slow, start } }: Scene) => {
  const during = (
    name: string,
    what: string,
    fault: Effect.Effect<void>,
    end: Effect.Effect<void, Failure>
  ): Fault => ({
    name,
    what,
    run: (lasts) => Effect.andThen(Effect.andThen(fault, Effect.sleep(lasts)), end),
    judge: ofKind("order")
  })
  return {
    slow: during("http.slow", "payments answer after 2 s", slow, mend),
    half: during("http.half", "payments fail half the calls", failHalf, mend),
    refused: during("http.refused", "payments refuse connections", kill, start)
  }
}

export const mongo = ({ mongo: { server } }: Scene): Fault | LeftOut =>
  server.given ? { name: "mongodb.kill", why: GIVEN } : {
    name: "mongodb.kill",
    what: server.responder ? "MongoDB (a responder) killed" : "MongoDB killed",
    run: (lasts) => killed(server, lasts),
    judge: ofKind("description")
  }
