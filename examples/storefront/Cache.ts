/**
 * What was read a moment ago, kept in Redis. The shop works without: whatever Redis does not give, in very little time,
 * is read where it comes from. There is none where REDIS_URL is not set.
 */
import { Redis } from "@breakwater/redis"
import { Config, Context, Effect, Layer, Option, Schema } from "effect"
import * as Policies from "./Policies.ts"

/** How old what is shown may be: orders change the stock, and do not wait for the cache to hear of it. */
const KEPT_MILLIS = 1000

class Server extends Redis.Service<Server>()("cache") {}

export class Cache extends Context.Service<Cache, Option.Option<Redis.Redis>>()("storefront/Cache") {}

/** Where a value came from: `bypass` where Redis did not answer. */
export type Source = "hit" | "miss" | "bypass"

export interface Remembered<A> {
  readonly value: A
  readonly source: Source
}

const layerServer = Server.layerConfig({
  url: Config.Redacted("REDIS_URL"),
  critical: Config.succeed(false),
  connections: Config.succeed({ max: 4 }),
  pool: Config.succeed({ wait: { timeout: "100 millis" }, dial: { timeout: "1 second" } }),
  // Reading from the database is the retry.
  policy: Policies.config("CACHE_POLICY", {
    deadline: "300 millis",
    timeout: "200 millis",
    retry: false,
    breaker: {}
  }, Policies.BARE)
})

export const layer = Layer.unwrap(Effect.gen(function*() {
  const url = yield* Config.option(Config.Redacted("REDIS_URL"))
  return Option.isNone(url)
    ? Layer.succeed(Cache, Option.none())
    : Layer.provide(Layer.effect(Cache, Effect.map(Server, Option.some)), layerServer)
}))

/** The value of a key, from Redis or else by `read`. */
export const remember = Effect.fnUntraced(function*<A, I, E, R>(
  key: string,
  schema: Schema.Codec<A, I>,
  read: Effect.Effect<A, E, R>
) {
  const cache = yield* Cache
  const json = Schema.fromJsonString(schema)
  const bypass = Effect.map(read, (value): Remembered<A> => ({ value, source: "bypass" }))
  if (Option.isNone(cache)) return yield* bypass
  const { send } = cache.value
  const found = yield* Effect.option(send<string | null>("GET", key))
  if (Option.isNone(found)) return yield* bypass
  const kept = Option.flatMap(Option.fromNullOr(found.value), Schema.decodeUnknownOption(json))
  if (Option.isSome(kept)) return { value: kept.value, source: "hit" } satisfies Remembered<A>
  const value = yield* read
  yield* Effect.ignore(send("SET", key, Schema.encodeSync(json)(value), "PX", String(KEPT_MILLIS)))
  return { value, source: "miss" } satisfies Remembered<A>
})
