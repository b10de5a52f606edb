/** What can be broken, and which requests show that it is well again. */
import type { FakeHttp, FaultProxy } from "@breakwater/testing"
import type { MongoServerError } from "@breakwater/testing/MongoServerError"
import type { PostgresServerError } from "@breakwater/testing/PostgresServerError"
import type { RedisServerError } from "@breakwater/testing/RedisServerError"
import { Clock, type Config, type Duration, Effect, Option, Schedule, type Scope } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import * as Ledger from "./Ledger.ts"
import type { Sample } from "./Sample.ts"
import type { Scene } from "./Scene.ts"
import type { Judge, Watch } from "./Watch.ts"
import * as Watchers from "./Watchers.ts"

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
  readonly run: (lasts: Duration.Duration) => Effect.Effect<void, Failure, Scope.Scope>
  /** Waits until it is over: how many milliseconds after `since`. */
  readonly recovered: (watch: Watch, since: number) => Effect.Effect<number>
}

/** What a storm cannot break, and why. */
export interface LeftOut {
  readonly name: string
  readonly why: string
}

/** Shown by requests that go well, one after the other. */
const shownBy = (judge: Judge): Fault["recovered"] => (watch, since) => watch.recovered(since, judge)

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
    recovered: shownBy(anything)
  },
  cut: {
    name: "postgres.cut",
    what: "Postgres' connections cut",
    run: (lasts: Duration.Duration) => cutRepeatedly(proxy, lasts),
    recovered: shownBy(anything)
  },
  blackHole: {
    name: "postgres.blackhole",
    what: "nothing reaches Postgres",
    run: (lasts: Duration.Duration) => Effect.andThen(Effect.andThen(proxy.blackHole, Effect.sleep(lasts)), mend),
    recovered: shownBy(anything)
  },
  exhausted: {
    name: "postgres.exhausted",
    what: "slow orders fill the pool",
    run: (lasts: Duration.Duration) => Ledger.blockOrders(server.url, lasts),
    recovered: shownBy(anything)
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
      recovered: shownBy(cached)
    },
    kill: server.given ? { name: "redis.kill", why: GIVEN } : {
      name: "redis.kill",
      what: "Redis killed with -9",
      run: (lasts) => killed(server, lasts),
      recovered: shownBy(cached)
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
    recovered: shownBy(ofKind("order"))
  })
  return {
    slow: during("http.slow", "payments answer after 2 s", slow, mend),
    half: during("http.half", "payments fail every other", failHalf, mend),
    refused: during("http.refused", "payments refuse to talk", kill, start)
  }
}

export const mongo = ({ mongo: { server } }: Scene): Fault | LeftOut =>
  server.given ? { name: "mongodb.kill", why: GIVEN } : {
    name: "mongodb.kill",
    what: server.responder ? "MongoDB stand-in killed" : "MongoDB killed",
    run: (lasts) => killed(server, lasts),
    recovered: shownBy(ofKind("description"))
  }

/** Over when the feed has no watchers but the faithful ones, and they hear of orders. */
const letGo = ({ stats, watchers }: Scene): Fault["recovered"] => (_, since) =>
  Effect.gen(function*() {
    const before = yield* watchers.heard
    const over = Effect.zipWith(
      stats,
      watchers.heard,
      ({ feed }, heard) => feed?.pool.used === watchers.count && heard > before
    )
    yield* Effect.repeat(over, { until: (yes) => yes, schedule: Schedule.spaced("50 millis") })
    return (yield* Clock.currentTimeMillis) - since
  })

export const feed = (scene: Scene) => {
  const { address, door } = scene
  const vanish: Fault = {
    name: "websocket.vanished",
    what: "watchers vanish",
    run: (lasts) =>
      Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.orDie(door.restore))
        yield* Watchers.some(door)
        yield* door.blackHole
        yield* Effect.sleep(lasts)
      }),
    recovered: letGo(scene)
  }
  const slow: Fault = {
    name: "websocket.slow",
    what: "watchers do not read",
    run: (lasts) => Effect.andThen(Watchers.slow(address), Effect.sleep(lasts)),
    recovered: letGo(scene)
  }
  return { vanish, slow }
}

/** Both at the same time; left out where one of them is. */
export const together = (what: string, one: Fault | LeftOut, other: Fault | LeftOut): Fault | LeftOut => {
  const name = `${one.name}+${other.name}`
  if ("why" in one) return { name, why: one.why }
  if ("why" in other) return { name, why: other.why }
  return {
    name,
    what,
    run: (lasts) => Effect.all([one.run(lasts), other.run(lasts)], { concurrency: "unbounded", discard: true }),
    recovered: (watch, since) =>
      Effect.zipWith(one.recovered(watch, since), other.recovered(watch, since), Math.max, { concurrent: true })
  }
}
