/**
 * Redis over ioredis: a few connections that all callers use at once, others that one caller has for himself, both in
 * one Breakwater pool, policies around every command, every failure typed.
 *
 * ```ts
 * import { Redis } from "@breakwater/redis"
 * import { Config, Effect, Logger } from "effect"
 *
 * const Cache = Redis.layerConfig({ name: Config.succeed("cache") }) // and the URL from REDIS_URL
 *
 * const program = Effect.gen(function*() {
 *   const redis = yield* Redis.Redis
 *   yield* redis.send("SET", "greeting", "hello")
 *   console.log(yield* redis.send<string>("GET", "greeting"))
 *   console.log(yield* redis.use((client) => client.strlen("greeting")))
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Cache), Effect.provide(Logger.layer([]))))
 * // => hello
 * // => 5
 * ```
 *
 * A command goes over a shared connection, packed together with those of other callers. What blocks, or changes the
 * connection, does not: `send` gives a blocking command a connection of its own, `transaction`, `subscribe` and `reserve`
 * do so for the rest, and whatever of that kind is tried on a shared one is refused before it is sent.
 *
 * Gotchas: a command that is interrupted or timed out may still be executed, and its reply is dropped. A connection of
 * either kind counts in `connections.max`; a dead shared one is dialled again, and its callers fail typed meanwhile or
 * wait. What is published while a subscriber is disconnected is lost: that is how Redis' channels are.
 *
 * @since 0.1.0
 */
import type { Backend, Health } from "@breakwater/core/Backend"
import * as ConfigOptions from "@breakwater/core/ConfigOptions"
import type { PolicyError } from "@breakwater/core/PolicyError"
import type { PoolError } from "@breakwater/core/PoolError"
import * as Promises from "@breakwater/core/Promises"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EffectRedis from "effect/persistence/Redis"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Redis as IoRedis } from "ioredis"
import * as Internal from "./internal/backend.ts"
import * as Client from "./internal/client.ts"
import type { Connection } from "./internal/connection.ts"
import { clientOf, type Started } from "./internal/promises.ts"
import { type Read, readOptions } from "./internal/readOptions.ts"
import { type FromEnvironment, type Options, resolve } from "./internal/settings.ts"
import * as Subscription from "./internal/subscription.ts"
import * as Url from "./internal/url.ts"
import type { RedisError } from "./RedisError.ts"

export type { RunOptions } from "@breakwater/core/Promises"
export type { Stats } from "./internal/backend.ts"
export type { Argument, Command, Failure } from "./internal/client.ts"
export type { Client, Started } from "./internal/promises.ts"
export type { ConnectionsOptions, Options, PolicyOptions, PoolOptions } from "./internal/settings.ts"
export type { Message, SubscribeOptions } from "./internal/subscription.ts"

/**
 * A connection of one's own. No command on it is repeated.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reserved {
  /** ioredis, as it is: no policy, and its errors. */
  readonly client: IoRedis
  /** As `Redis.send`, on this connection. */
  readonly send: <A = unknown>(...command: Client.Command) => Effect.Effect<A, RedisError | PolicyError>
  /** As `send`, with text as Buffers. */
  readonly sendBuffers: <A = unknown>(...command: Client.Command) => Effect.Effect<A, RedisError | PolicyError>
}

/**
 * A Redis, ready to use.
 *
 * @since 0.1.0
 * @category models
 */
export interface Redis {
  readonly name: string
  /**
   * One command, whose reply is what the caller says it is; text comes as strings. A command that is idempotent may be
   * repeated; one that blocks needs a time to block above zero, gets a connection of its own, and is not repeated.
   */
  readonly send: <A = unknown>(...command: Client.Command) => Effect.Effect<A, Client.Failure>
  /** As `send`, with text as Buffers. */
  readonly sendBuffers: <A = unknown>(...command: Client.Command) => Effect.Effect<A, Client.Failure>
  /**
   * Several commands in one go, with `atomic` between MULTI and EXEC; their replies. Fails with the first error among
   * these, and then the others may have taken effect. Repeated when all of them are idempotent.
   */
  readonly pipeline: (
    commands: ReadonlyArray<Client.Command>,
    options?: { readonly atomic?: boolean | undefined }
  ) => Effect.Effect<ReadonlyArray<unknown>, Client.Failure>
  /**
   * Lends ioredis on a shared connection, for what it offers beyond commands. The function is one attempt: it is repeated
   * as a whole where the program marks it with `Operation.idempotent`. The signal aborts when the attempt is over.
   */
  readonly use: {
    <A, E, R>(
      f: (client: IoRedis, signal: AbortSignal) => Effect.Effect<A, E, R>
    ): Effect.Effect<A, E | Client.Failure, R>
    <A>(f: (client: IoRedis, signal: AbortSignal) => Promise<A>): Effect.Effect<A, Client.Failure>
  }
  /** A connection of one's own until the scope closes; closed then, unless it comes back as it was lent. */
  readonly reserve: Effect.Effect<Reserved, PoolError | PolicyError, Scope.Scope>
  /**
   * Watches keys, lets the program read and decide, and executes what it decides on if nobody has changed them. Fails as
   * `Conflict` if somebody has, and is never repeated by itself.
   */
  readonly transaction: <E, R>(
    watch: ReadonlyArray<string>,
    decide: (connection: Reserved) => Effect.Effect<ReadonlyArray<Client.Command>, E, R>
  ) => Effect.Effect<ReadonlyArray<unknown>, E | Client.Failure, R>
  /** What is published on channels, on a connection of its own. Ends with a failure when that is lost. */
  readonly subscribe: (
    channels: ReadonlyArray<string>,
    options?: Subscription.SubscribeOptions
  ) => Stream.Stream<Subscription.Message, Client.Failure>
  /** Effect's own, for its rate limiters, caches and queues. */
  readonly persistence: EffectRedis.Redis["Service"]
  readonly stats: Effect.Effect<Internal.Stats>
  /** One round trip, at most a second. Never fails. */
  readonly health: Effect.Effect<Health>
  /** What health checks, dashboards and shutdown work with; registered in `Backends`. */
  readonly backend: Backend
}

/**
 * The tag of the one Redis of a program. Programs with several declare a `Service` for each.
 *
 * @since 0.1.0
 * @category services
 */
export const Redis: Context.Service<Redis, Redis> = Context.Service<Redis>("@breakwater/redis/Redis")

/** Throws for options out of range, by the call; what is wrong with the URL is in the effect. */
const prepare = (
  options: Options,
  environment?: FromEnvironment
): Effect.Effect<Redis, PoolError | Config.ConfigError, Scope.Scope> => {
  const url = Url.parse(options.url)
  const settings = resolve(options, Result.getOrElse(url, () => ({ warnings: [] })), environment)
  const made = Internal.make(settings)
  return Result.isFailure(url) ? Effect.fail(url.failure) : Effect.map(made, toService)
}

const toReserved = (parts: Internal.Parts, connection: Connection): Reserved => ({
  client: connection.driver,
  send: (...command) => Client.sendOn(parts, connection, "text", command),
  sendBuffers: (...command) => Client.sendOn(parts, connection, "buffers", command)
})

/** Both kinds of functions: one that gives a promise has no failure and no requirement of its own. */
const useOf = (parts: Internal.Parts): Redis["use"] => {
  function use<A, E, R>(
    f: (client: IoRedis, signal: AbortSignal) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | Client.Failure, R>
  function use<A>(f: (client: IoRedis, signal: AbortSignal) => Promise<A>): Effect.Effect<A, Client.Failure>
  function use<A, E, R>(f: (client: IoRedis, signal: AbortSignal) => Effect.Effect<A, E, R> | Promise<A>) {
    return Client.use(parts, f)
  }
  return use
}

const toService = (parts: Internal.Parts): Redis => ({
  name: parts.settings.name,
  send: (...command) => Client.send(parts, "text", command),
  sendBuffers: (...command) => Client.send(parts, "buffers", command),
  pipeline: (commands, options) => Client.pipeline(parts, commands, options?.atomic ?? false),
  use: useOf(parts),
  reserve: Effect.map(Client.reserve(parts), (connection) => toReserved(parts, connection)),
  transaction: (watch, decide) =>
    Client.transaction(parts, watch, (connection) => decide(toReserved(parts, connection))),
  subscribe: (channels, options) => Subscription.stream(parts, channels, options),
  persistence: parts.persistence,
  stats: parts.stats,
  health: parts.backend.health,
  backend: parts.backend
})

/**
 * Opens a Redis for as long as the scope lives; its end lets running work finish for five seconds.
 *
 * Throws a `RangeError` for an option that is not allowed. Fails as `ConfigError` for a URL that is not, and, with
 * `start: "fail-fast"` only, as `PoolError` when the server cannot be reached.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<Redis, PoolError | Config.ConfigError, Scope.Scope> =>
  prepare(options)

const layerOf = <Self, E>(
  tag: Context.Key<Self, Redis>,
  made: Effect.Effect<Redis, E, Scope.Scope>
): Layer.Layer<Self, E> => Layer.effect(tag, made)

const persistenceLayerOf = <Self, E>(
  tag: Context.Key<Self, Redis>,
  made: Effect.Effect<Redis, E, Scope.Scope>
): Layer.Layer<Self | EffectRedis.Redis, E> =>
  Layer.effectContext(
    Effect.map(made, (redis) => Context.make(tag, redis).pipe(Context.add(EffectRedis.Redis, redis.persistence)))
  )

/**
 * A Redis as `Redis` and as Effect's `persistence/Redis`. Throws and fails as `make`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Redis | EffectRedis.Redis, PoolError | Config.ConfigError> =>
  persistenceLayerOf(Redis, prepare(options))

/**
 * Options of which each is read from a `ConfigProvider`. What is left out is read from `REDIS_URL`,
 * `REDIS_MAX_CONNECTIONS`, and, in seconds, `REDIS_CONNECT_TIMEOUT` and `REDIS_SOCKET_TIMEOUT`; the profile, as
 * `Profile.fromConfig` does.
 *
 * @since 0.1.0
 * @category models
 */
export type WrappedOptions = ConfigOptions.Wrap<ConfigOptions.OptionalUrl<Options>>

/**
 * As `layer`, with options from a `ConfigProvider`, which also fail as `ConfigError`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: WrappedOptions
): Layer.Layer<Redis | EffectRedis.Redis, PoolError | Config.ConfigError> =>
  persistenceLayerOf(Redis, Effect.flatMap(readOptions(options, undefined), prepareRead))

const prepareRead = ({ environment, options }: Read) => ConfigOptions.make("Redis", () => prepare(options, environment))

/**
 * Options of a `Service`, which has a name already.
 *
 * @since 0.1.0
 * @category models
 */
export type ServiceOptions = ConfigOptions.OptionalName<Options>

/**
 * As `WrappedOptions`, of a `Service`.
 *
 * @since 0.1.0
 * @category models
 */
export type WrappedServiceOptions = ConfigOptions.Wrap<ConfigOptions.OptionalUrl<ServiceOptions>>

/**
 * The class of one Redis: a tag, and the layers that provide it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceClass<Self, Name extends string>
  extends Context.ServiceClass<Self, `@breakwater/redis/Redis/${Name}`, Redis>
{
  /** Provides this Redis only. Throws and fails as `make`. */
  readonly layer: (options: ServiceOptions) => Layer.Layer<Self, PoolError | Config.ConfigError>
  /** Provides it also as the program's `persistence/Redis`. */
  readonly persistenceLayer: (
    options: ServiceOptions
  ) => Layer.Layer<Self | EffectRedis.Redis, PoolError | Config.ConfigError>
  /** As `layer`, with options from a `ConfigProvider`. */
  readonly layerConfig: (options: WrappedServiceOptions) => Layer.Layer<Self, PoolError | Config.ConfigError>
  /** As `persistenceLayer`, with options from a `ConfigProvider`. */
  readonly persistenceLayerConfig: (
    options: WrappedServiceOptions
  ) => Layer.Layer<Self | EffectRedis.Redis, PoolError | Config.ConfigError>
}

/**
 * Declares a Redis with a tag of its own, so that a program can have several: a cache and a queue, say.
 *
 * ```ts no-run
 * import { Redis } from "@breakwater/redis"
 * import { Config, Effect } from "effect"
 *
 * class Cache extends Redis.Service<Cache>()("cache") {}
 * class Jobs extends Redis.Service<Jobs>()("jobs") {}
 *
 * export const program = Effect.gen(function*() {
 *   const job = yield* (yield* Jobs).send<[string, string] | null>("BLPOP", "jobs", 5)
 *   if (job !== null) yield* (yield* Cache).send("DEL", job[1])
 * }).pipe(Effect.provide([
 *   Cache.layerConfig({ url: Config.Redacted("CACHE_URL") }),
 *   Jobs.layerConfig({ url: Config.Redacted("JOBS_URL") })
 * ]))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export const Service = <Self>() => <const Name extends string>(name: Name): ServiceClass<Self, Name> => {
  const tag = Context.Service<Self, Redis>()(`@breakwater/redis/Redis/${name}`)
  const named = (options: ServiceOptions) => prepare({ ...options, name: options.name ?? name })
  const read = (options: WrappedServiceOptions) => Effect.flatMap(readOptions(options, name), prepareRead)
  return Object.assign(tag, {
    layer: (options: ServiceOptions) => layerOf(tag, named(options)),
    persistenceLayer: (options: ServiceOptions) => persistenceLayerOf(tag, named(options)),
    layerConfig: (options: WrappedServiceOptions) => layerOf(tag, read(options)),
    persistenceLayerConfig: (options: WrappedServiceOptions) => persistenceLayerOf(tag, read(options))
  })
}

/**
 * Opens a Redis for code outside Effect. Throws as `make`, by the call; rejects with what `make` fails with.
 *
 * ```ts no-run
 * import { Redis } from "@breakwater/redis"
 * import { Redacted } from "effect"
 *
 * await using cache = await Redis.start({ name: "cache", url: Redacted.make("redis://localhost") })
 * const signal = AbortSignal.timeout(2000)
 * const seen = await cache.client.send<number>(["INCR", "seen"], { signal })
 * console.log(seen)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (options: Options, run?: Promises.RunOptions): Promise<Started> =>
  Promises.start(make(options), clientOf, run)
