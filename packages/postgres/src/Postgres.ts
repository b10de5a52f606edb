/**
 * Postgres behind Effect's own `SqlClient` and `PgClient`: sessions of @effect/sql-pg in a Breakwater pool, policies
 * around every statement, every failure a `SqlError` whose cause says who is to blame.
 *
 * ```ts
 * import { Postgres } from "@breakwater/postgres"
 * import { Config, Effect, Logger } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const Orders = Postgres.layerConfig({
 *   name: Config.succeed("orders"), // and the URL from DATABASE_URL
 *   policy: Config.succeed({ deadline: "5 seconds", timeout: "2 seconds", retry: { times: 2 } })
 * })
 *
 * const program = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   const [row] = yield* sql`select ${20}::int + 22 as answer`
 *   console.log(row)
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Orders), Effect.provide(Logger.layer([])))) // => { answer: 42 }
 * ```
 *
 * A statement borrows a session for itself; a transaction, a stream, `LISTEN` and `reserve` hold one, which counts in
 * `size.max`. Statements inside a transaction are never repeated. A statement that is interrupted or timed out is
 * cancelled at the server, and its session closed after 100 ms whether or not the server answered.
 *
 * Gotchas: the deadline of the policy bounds a stream's wait for a session, and its `timeout` each wait for rows; all
 * of a stream takes as long as the server lets a statement run (`statement_timeout`, which is `policy.timeout`). What a
 * program sets on a session with SET, or takes with an advisory lock, stays on it for whoever borrows it next: use SET
 * LOCAL and locks of the transaction.
 *
 * @since 0.1.0
 */
import type { Backend, Health } from "@breakwater/core/Backend"
import * as ConfigOptions from "@breakwater/core/ConfigOptions"
import * as Pool from "@breakwater/core/Pool"
import * as Promises from "@breakwater/core/Promises"
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Internal from "./internal/backend.ts"
import { type Client, clientOf } from "./internal/promises.ts"
import { useRaw } from "./internal/raw.ts"
import { readOptions } from "./internal/readOptions.ts"
import { type Options, resolve } from "./internal/settings.ts"
import * as Url from "./internal/url.ts"

export type { RunOptions } from "@breakwater/core/Promises"
export type { Client, Queries } from "./internal/promises.ts"
export type { Options, PolicyOptions, PoolOptions } from "./internal/settings.ts"

/**
 * The pool's numbers, and those of CancelRequests, whose sockets are outside `size.max`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends Pool.Stats {
  /** Open now; at most `dial.concurrency`. */
  readonly cancelling: number
  /** Sent since the start. */
  readonly cancelRequests: number
  /** Statements whose socket was closed without a CancelRequest, since too many were open. */
  readonly cutWithoutRequest: number
}

/**
 * A database, ready to use.
 *
 * @since 0.1.0
 * @category models
 */
export interface Postgres {
  readonly name: string
  /** Effect SQL's client. */
  readonly sql: PgClient.PgClient
  /**
   * Lends the raw session, for what Effect SQL does not offer. No policy applies but the wait for a session is bounded.
   * A session that comes back inside a transaction is closed; what else was set on it stays.
   */
  readonly use: <A, E, R>(
    f: (session: PgConnection.PgConnection) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | SqlError, R>
  readonly stats: Effect.Effect<Stats>
  /** One round trip, at most a second. Never fails. */
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
export const Postgres: Context.Service<Postgres, Postgres> = Context.Service<Postgres>("@breakwater/postgres/Postgres")

/** Throws for options out of range, by the call; what is wrong with the URL is in the effect. */
const prepare = (
  options: Options
): Effect.Effect<Postgres, SqlError | Config.ConfigError, Scope.Scope | Reactivity.Reactivity> => {
  const url = Url.parse(options.url)
  const made = Internal.make(resolve(options, Result.getOrElse(url, () => ({ warnings: [] }))))
  return Result.isFailure(url) ? Effect.fail(url.failure) : Effect.map(made, toService)
}

const toService = (parts: Internal.Parts): Postgres => ({
  name: parts.settings.name,
  sql: parts.client,
  use: (f) => useRaw(parts, f),
  stats: Effect.map(Pool.stats(parts.pool), (stats) => ({
    ...stats,
    cancelling: parts.cancels.open,
    cancelRequests: parts.cancels.sent,
    cutWithoutRequest: parts.cancels.cut
  })),
  health: parts.backend.health,
  backend: parts.backend
})

/**
 * Opens a database for as long as the scope lives; its end lets running work finish for five seconds.
 *
 * Throws a `RangeError` for an option that is not allowed. Fails as `ConfigError` for a URL that is not, and, with
 * `start: "fail-fast"` only, as `SqlError` when the server cannot be reached.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<Postgres, SqlError | Config.ConfigError, Scope.Scope> => {
  const prepared = prepare(options)
  return Effect.gen(function*() {
    const shared = yield* Effect.serviceOption(Reactivity.Reactivity)
    const reactivity = shared._tag === "Some" ? shared.value : yield* Reactivity.make
    return yield* Effect.provideService(prepared, Reactivity.Reactivity, reactivity)
  })
}

/** What `layer` provides. */
type Sql = SqlClient.SqlClient | PgClient.PgClient

const layerOf = <Self, E>(
  tag: Context.Key<Self, Postgres>,
  made: Effect.Effect<Postgres, E, Scope.Scope | Reactivity.Reactivity>
): Layer.Layer<Self, E> => Layer.provide(Layer.effect(tag, made), Reactivity.layer)

const sqlLayerOf = <Self, E>(
  tag: Context.Key<Self, Postgres>,
  made: Effect.Effect<Postgres, E, Scope.Scope | Reactivity.Reactivity>
): Layer.Layer<Self | Sql, E> =>
  Layer.effectContext(Effect.map(made, (postgres) =>
    Context.make(tag, postgres).pipe(
      Context.add(PgClient.PgClient, postgres.sql),
      Context.add(SqlClient.SqlClient, postgres.sql)
    ))).pipe(Layer.provide(Reactivity.layer))

/**
 * A database as `SqlClient`, `PgClient` and `Postgres`. Throws and fails as `make`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Postgres | Sql, SqlError | Config.ConfigError> =>
  sqlLayerOf(Postgres, prepare(options))

/**
 * Options of which each is read from a `ConfigProvider`. Without `url`, `DATABASE_URL` is read, without
 * `profile` what `Profile.fromConfig` reads.
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
): Layer.Layer<Postgres | Sql, SqlError | Config.ConfigError> =>
  sqlLayerOf(Postgres, Effect.flatMap(readOptions(options, undefined), prepareRead))

const prepareRead = (options: Options) => ConfigOptions.make("Postgres", () => prepare(options))

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
  extends Context.ServiceClass<Self, `@breakwater/postgres/Postgres/${Name}`, Postgres>
{
  /** Provides this database only. Throws and fails as `make`. */
  readonly layer: (options: ServiceOptions) => Layer.Layer<Self, SqlError | Config.ConfigError>
  /** Provides it also as the `SqlClient` and `PgClient` of the program. */
  readonly sqlLayer: (options: ServiceOptions) => Layer.Layer<Self | Sql, SqlError | Config.ConfigError>
  /** As `layer`, with options from a `ConfigProvider`. */
  readonly layerConfig: (options: WrappedServiceOptions) => Layer.Layer<Self, SqlError | Config.ConfigError>
  /** As `sqlLayer`, with options from a `ConfigProvider`. */
  readonly sqlLayerConfig: (options: WrappedServiceOptions) => Layer.Layer<Self | Sql, SqlError | Config.ConfigError>
}

/**
 * Declares a database with a tag of its own, so that a program can have several: `SqlClient` is one tag for all.
 *
 * ```ts
 * import { Postgres } from "@breakwater/postgres"
 * import { Effect, Logger } from "effect"
 *
 * class Orders extends Postgres.Service<Orders>()("orders") {}
 * class Users extends Postgres.Service<Users>()("users") {} // with the URL of another database
 *
 * const program = Effect.gen(function*() {
 *   const orders = yield* Orders
 *   const users = yield* Users
 *   console.log(yield* orders.sql`select 1 as one`, users.name)
 * })
 *
 * await Effect.runPromise(program.pipe(
 *   Effect.provide([Orders.layerConfig({}), Users.layerConfig({})]), // both from DATABASE_URL here
 *   Effect.provide(Logger.layer([]))
 * )) // => [ { one: 1 } ] users
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export const Service = <Self>() => <const Name extends string>(name: Name): ServiceClass<Self, Name> => {
  const tag = Context.Service<Self, Postgres>()(`@breakwater/postgres/Postgres/${name}`)
  const named = (options: ServiceOptions) => prepare({ ...options, name: options.name ?? name })
  const read = (options: WrappedServiceOptions) => Effect.flatMap(readOptions(options, name), prepareRead)
  return Object.assign(tag, {
    layer: (options: ServiceOptions) => layerOf(tag, named(options)),
    sqlLayer: (options: ServiceOptions) => sqlLayerOf(tag, named(options)),
    layerConfig: (options: WrappedServiceOptions) => layerOf(tag, read(options)),
    sqlLayerConfig: (options: WrappedServiceOptions) => sqlLayerOf(tag, read(options))
  })
}

/**
 * A database that runs until `close`.
 *
 * @since 0.1.0
 * @category models
 */
export type Started = Promises.Started<Client, Stats>

/**
 * Opens a database for code outside Effect. Throws as `make`, by the call; rejects with what `make` fails with.
 *
 * ```ts no-run
 * import { Postgres } from "@breakwater/postgres"
 * import { Redacted } from "effect"
 *
 * await using orders = await Postgres.start({ name: "orders", url: Redacted.make("postgres://app@localhost/orders") })
 * const signal = AbortSignal.timeout(2000)
 * const rows = await orders.client.query<{ id: number }>("select id from orders where id > $1", [7], { signal })
 * console.log(rows.length)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (options: Options, run?: Promises.RunOptions): Promise<Started> =>
  Promises.start(make(options), clientOf, run)
