/** What the storm breaks: servers behind proxies whose network fails on command, and the storefront in front of them. */
import { FaultProxy, MongoServer, PostgresServer, RedisServer } from "@breakwater/testing"
import { Effect, Option, Redacted, Ref, Schedule, Schema } from "effect"
import type { Runtime } from "./Child.ts"
import * as StorefrontProcess from "./StorefrontProcess.ts"
import * as Upstreams from "./Upstreams.ts"
import * as Watchers from "./Watchers.ts"

/** Each way: of a network, so that there is something in flight to be cut. */
const LATENCY = "1 millis"
const READY_LIMIT = "20 seconds"

/** What is shown of each backend. */
const Backends = Schema.Record(
  Schema.String,
  Schema.Struct({
    pool: Schema.Struct({
      used: Schema.Int,
      idle: Schema.Int,
      waiting: Schema.Int,
      max: Schema.Int,
      opened: Schema.Int
    }),
    policy: Schema.Struct({
      circuitOpened: Schema.Int,
      circuit: Schema.optionalKey(Schema.Struct({ state: Schema.String }))
    })
  })
)

const Stats = Schema.Struct({ backends: Backends })

export type Stats = typeof Backends.Type

/** A server whose network fails on command. */
const behindProxy = Effect.fnUntraced(function*<S extends { readonly url: Redacted.Redacted }>(server: S) {
  const { hostname, port } = new URL(Redacted.value(server.url))
  const proxy = yield* FaultProxy.make({ target: { host: hostname, port: Number(port) } })
  yield* proxy.delay(LATENCY)
  return {
    server,
    proxy,
    url: Redacted.value(FaultProxy.through(server.url, proxy)),
    /** Ends every fault of the network. */
    mend: Effect.andThen(proxy.restore, proxy.delay(LATENCY))
  }
})

export const make = Effect.fnUntraced(function*(options: { readonly policies: boolean; readonly on: Runtime }) {
  const postgres = yield* Effect.flatMap(PostgresServer.make(), behindProxy)
  const redis = yield* Effect.option(Effect.flatMap(RedisServer.make(), behindProxy))
  const mongo = yield* Effect.flatMap(MongoServer.make(), behindProxy)
  const payments = yield* Upstreams.payments
  const shipping = yield* Upstreams.shipping
  const storefront = yield* StorefrontProcess.start({
    POLICIES: String(options.policies),
    DATABASE_URL: postgres.url,
    MONGODB_URL: mongo.url,
    PAYMENTS_URL: payments.url,
    SHIPPING_URL: shipping.url,
    ...(Option.isSome(redis) ? { REDIS_URL: redis.value.url } : {})
  }, options.on)
  const stats = yield* Ref.make<Stats>({})
  const ask = (path: string) =>
    Effect.tryPromise((signal) => fetch(`${storefront.url}${path}`, { signal })).pipe(Effect.timeout("500 millis"))
  /** Whether a load balancer would send it requests. */
  const isReady = ask("/health/ready").pipe(Effect.map((response) => response.ok), Effect.orElseSucceed(() => false))
  const hasDescriptions = ask("/products/1/description").pipe(
    Effect.map((response) => response.ok),
    Effect.orElseSucceed(() => false)
  )
  yield* Effect.zipWith(isReady, hasDescriptions, (ready, filled) => ready && filled).pipe(
    Effect.repeat({ until: (ready) => ready, schedule: Schedule.spaced("50 millis") }),
    Effect.timeoutOrElse({ duration: READY_LIMIT, orElse: () => storefront.failed })
  )
  const address = { host: "127.0.0.1", port: Number(new URL(storefront.url).port) }
  return {
    postgres,
    redis,
    mongo,
    payments,
    shipping,
    ...storefront,
    address,
    /** Another way to the storefront, whose network fails on command. */
    door: yield* FaultProxy.make({ target: address }),
    watchers: yield* Watchers.faithful(storefront.url),
    isReady,
    /** What Prometheus would scrape; fails where the storefront does not answer in time. */
    metrics: ask("/metrics").pipe(Effect.flatMap((response) => Effect.tryPromise(() => response.text()))),
    /** Connections that the backends have open, as they and the proxies in front of them count. */
    socketsOpen: Effect.gen(function*() {
      const sessions = yield* postgres.server.connections()
      const relayed = [
        postgres.proxy.stats,
        mongo.proxy.stats,
        ...Option.toArray(redis).map(({ proxy }) => proxy.stats)
      ]
      const counts = [
        ...yield* Effect.all(relayed.map(Effect.map(({ open }) => open))),
        ...yield* Effect.all([payments.stats, shipping.stats].map(Effect.map(({ open }) => open)))
      ]
      return counts.reduce((sum, count) => sum + count, sessions)
    }),
    /** As the storefront says; what it said last where it does not answer in time. */
    stats: ask("/stats").pipe(
      Effect.flatMap((response) => Effect.tryPromise(() => response.json())),
      Effect.flatMap(Schema.decodeUnknownEffect(Stats)),
      Effect.map(({ backends }) => backends),
      Effect.tap((now) => Ref.set(stats, now)),
      Effect.catch(() => Ref.get(stats))
    )
  }
})

export type Scene = Effect.Success<ReturnType<typeof make>>
