/**
 * MongoDB through the driver's own pool: bounded, watched, warmed and drained as every backend is, policies around each
 * call, every failure typed.
 *
 * ```ts
 * import { Mongo } from "@breakwater/mongodb"
 * import { FakeMongo } from "@breakwater/testing"
 * import { Effect, Logger, Redacted } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const server = yield* FakeMongo.make // a stand-in; with a MongoDB, its URL
 *   const mongo = yield* Mongo.make({
 *     name: "catalogue",
 *     url: Redacted.make(`mongodb://${server.host}:${server.port}/shop`),
 *     policy: { deadline: "5 seconds", timeout: "2 seconds", retry: { times: 2 } }
 *   })
 *   yield* mongo.use((db, _, limits) => db.collection("books").insertOne({ title: "Moby Dick" }, limits))
 *   const book = yield* mongo.use((db, _, limits) => db.collection("books").findOne({ title: "Moby Dick" }, limits))
 *   console.log(book?.["title"])
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Logger.layer([])))) // => Moby Dick
 * ```
 *
 * `limits` is `{ signal, maxTimeMS }`: handed on as the options of an operation it makes driver and server keep to the
 * deadline. Without it the call ends in time too, but the operation goes on behind its back, up to the socket's limit,
 * and holds its connection.
 *
 * Gotchas: a call is repeated as a whole, so it must be idempotent as a whole; what failed before anything was sent is
 * repeated in any case. Operations that one call runs in parallel wait for connections in the driver, where only time
 * bounds them. `session.withTransaction` of the driver repeats by itself, until `limits.signal` ends its operations.
 *
 * @since 0.1.0
 */
import type { Backend, Health } from "@breakwater/core/Backend"
import * as ConfigOptions from "@breakwater/core/ConfigOptions"
import type * as Pool from "@breakwater/core/Pool"
import type { PoolError } from "@breakwater/core/PoolError"
import * as Promises from "@breakwater/core/Promises"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { MongoClient } from "mongodb"
import * as Internal from "./internal/backend.ts"
import type { Work } from "./internal/calls.ts"
import { clientOf, type Started } from "./internal/promises.ts"
import { readOptions } from "./internal/readOptions.ts"
import { type FromEnvironment, type Options, resolve, type Settings } from "./internal/settings.ts"
import * as Url from "./internal/url.ts"

export type { RunOptions } from "@breakwater/core/Promises"
export type { Failure } from "./internal/backend.ts"
export type { Limits, Work } from "./internal/calls.ts"
export type { Client, Started } from "./internal/promises.ts"
export type { DriverOptions, Options, PolicyOptions, PoolOptions } from "./internal/settings.ts"

/**
 * A database, ready to use.
 *
 * @since 0.1.0
 * @category models
 */
export interface Mongo {
  readonly name: string
  /**
   * Runs work at the database of the URL. `label` names the call in errors and events; default `<name>.use`. Mark a call
   * that may be repeated as a whole with `Operation.idempotent`.
   *
   * Fails as `MongoError`, as `PoolError` (`AcquireTimeout`, `QueueFull`, `Closed`, `Revoked`), as `PolicyError`.
   */
  readonly use: <A>(
    work: Work<A>,
    options?: { readonly label?: string | undefined }
  ) => Effect.Effect<A, Internal.Failure>
  /**
   * Connections and check-outs of the driver's pools, those of all servers together: `max` and `min` are the settings
   * times the servers.
   */
  readonly stats: Effect.Effect<Pool.Stats>
  /** One ping, at most a second. Never fails. */
  readonly health: Effect.Effect<Health>
  /** What health checks, dashboards and shutdown work with; registered in `Backends`. */
  readonly backend: Backend
}

/**
 * The tag of the one database of a program. Programs with several declare a `Service` for each.
 *
 * @since 0.1.0
 * @category services
 */
export const Mongo: Context.Service<Mongo, Mongo> = Context.Service<Mongo>("@breakwater/mongodb/Mongo")

/** The driver says now what it does not like in the rest of the URL. It may quote it, so only its kind is shown. */
const checkUrl = ({ driver, uri }: Settings): Effect.Effect<void, Config.ConfigError> =>
  Effect.try({
    try: () => void new MongoClient(Redacted.value(uri), driver),
    catch: (error) =>
      ConfigOptions.error(
        `MongoDB URL: the driver refuses it (${error instanceof Error ? error.name : "no reason given"})`
      )
  })

/** Throws for options out of range, by the call; what is wrong with the URL is in the effect. */
const prepare = (
  options: Options,
  environment?: FromEnvironment
): Effect.Effect<Mongo, PoolError | Config.ConfigError, Scope.Scope> => {
  const url = Url.parse(options.url)
  const settings = resolve(options, Result.getOrElse(url, () => Url.none), environment)
  if (Result.isFailure(url)) return Effect.fail(url.failure)
  return Effect.andThen(checkUrl(settings), Effect.map(Internal.make(settings), toService))
}

const toService = ({ backend, settings, use }: Internal.Parts): Mongo => ({
  name: settings.name,
  use: (work, options) => use(work, options?.label),
  stats: backend.stats,
  health: backend.health,
  backend
})

/**
 * Opens a database for as long as the scope lives; its end lets running work finish for five seconds.
 *
 * Throws a `RangeError` for an option that is not allowed. Fails as `ConfigError` for a URL that is not, and, with
 * `start: "fail-fast"` only, as `PoolError` when the server cannot be reached.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<Mongo, PoolError | Config.ConfigError, Scope.Scope> =>
  prepare(options)

/**
 * A database as `Mongo`. Throws and fails as `make`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Mongo, PoolError | Config.ConfigError> =>
  Layer.effect(Mongo, prepare(options))

/**
 * Options of which each is read from a `ConfigProvider`. Without `url`, `MONGODB_URL` is read; without the sizes,
 * `MONGODB_MAX_POOL_SIZE` and `MONGODB_MIN_POOL_SIZE`; without the profile, what `Profile.fromConfig` reads.
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
export const layerConfig = (options: WrappedOptions): Layer.Layer<Mongo, PoolError | Config.ConfigError> =>
  Layer.effect(Mongo, read(options, undefined))

const read = (options: WrappedOptions | WrappedServiceOptions, name: string | undefined) =>
  Effect.flatMap(
    readOptions(options, name),
    (given) => ConfigOptions.make("MongoDB", () => prepare(given.options, given.environment))
  )

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
 * The class of one database: a tag, and the layers that provide it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceClass<Self, Name extends string>
  extends Context.ServiceClass<Self, `@breakwater/mongodb/Mongo/${Name}`, Mongo>
{
  /** Throws and fails as `make`. */
  readonly layer: (options: ServiceOptions) => Layer.Layer<Self, PoolError | Config.ConfigError>
  /** As `layer`, with options from a `ConfigProvider`. */
  readonly layerConfig: (options: WrappedServiceOptions) => Layer.Layer<Self, PoolError | Config.ConfigError>
}

/**
 * Declares a database with a tag of its own, so that a program can have several.
 *
 * ```ts no-run
 * import { Mongo } from "@breakwater/mongodb"
 * import { Config, Effect, Layer } from "effect"
 *
 * class Catalogue extends Mongo.Service<Catalogue>()("catalogue") {}
 * class Archive extends Mongo.Service<Archive>()("archive") {}
 *
 * export const Databases = Layer.mergeAll(
 *   Catalogue.layerConfig({}), // from MONGODB_URL
 *   Archive.layerConfig({ url: Config.Redacted("ARCHIVE_URL"), critical: Config.succeed(false) })
 * )
 *
 * export const books = Effect.flatMap(Catalogue, (catalogue) =>
 *   catalogue.use((db, _, limits) => db.collection("books").countDocuments({}, limits)))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export const Service = <Self>() => <const Name extends string>(name: Name): ServiceClass<Self, Name> => {
  const tag = Context.Service<Self, Mongo>()(`@breakwater/mongodb/Mongo/${name}`)
  return Object.assign(tag, {
    layer: (options: ServiceOptions) => Layer.effect(tag, prepare({ ...options, name: options.name ?? name })),
    layerConfig: (options: WrappedServiceOptions) => Layer.effect(tag, read(options, name))
  })
}

/**
 * Opens a database for code outside Effect. Throws as `make`, by the call; rejects with what `make` fails with.
 *
 * ```ts no-run
 * import { Mongo } from "@breakwater/mongodb"
 * import { Redacted } from "effect"
 *
 * await using catalogue = await Mongo.start({ name: "catalogue", url: Redacted.make("mongodb://localhost/shop") })
 * const count = await catalogue.client.use((db, _, limits) => db.collection("books").countDocuments({}, limits), {
 *   signal: AbortSignal.timeout(2000)
 * })
 * console.log(count)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (options: Options, run?: Promises.RunOptions): Promise<Started> =>
  Promises.start(make(options), clientOf, run)
