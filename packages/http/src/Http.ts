/**
 * HTTP behind Effect's own `HttpClient`, undici's `Dispatcher` and `fetch`: connections of undici with hard limits per
 * origin and in total, a bounded wait, time limits for every part of a call, and a policy for each origin.
 *
 * ```ts no-run
 * import { Http } from "@breakwater/http"
 * import { Effect, Redacted } from "effect"
 * import { HttpClient } from "effect/http"
 *
 * const Payments = Http.layer({
 *   name: "payments",
 *   url: Redacted.make("https://payments.example/v1"),
 *   policy: { deadline: "5 seconds", timeout: "2 seconds", retry: { times: 2 }, breaker: {} }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const client = yield* HttpClient.HttpClient
 *   const response = yield* client.get("/charges/7")
 *   return yield* response.json
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Payments))))
 * ```
 *
 * A request is repeated only where that is safe: when it surely was not sent, or when it is idempotent, by its method
 * or by a header `idempotency-key`. A status of 408, 429 or 5xx counts as a failure for retry and breaker, and is an
 * ordinary response for the program once no attempt is left.
 *
 * Gotchas: a response holds its connection until its body is read to the end. One that is not read is ended with the
 * scope of `HttpClient.withScope`, and at the latest when the deadline of the call passes. HTTP/1.1 only; upgrades and
 * proxies are left to others.
 *
 * @since 0.1.0
 */
import type { Backend, Health } from "@breakwater/core/Backend"
import * as ConfigOptions from "@breakwater/core/ConfigOptions"
import type { OutlierEvent } from "@breakwater/core/OutlierEjection"
import * as Promises from "@breakwater/core/Promises"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Dispatcher } from "undici/index.js"
import * as Internal from "./internal/backend.ts"
import { type Fetch, fetchOf } from "./internal/dispatcher.ts"
import { clientOf, type Started } from "./internal/promises.ts"
import { type Given, type Read, readOptions } from "./internal/readOptions.ts"
import { type FromEnvironment, type Options, resolve } from "./internal/settings.ts"
import type { Stats } from "./internal/stats.ts"
import * as Url from "./internal/url.ts"

export type { RunOptions } from "@breakwater/core/Promises"
export type { Fetch } from "./internal/dispatcher.ts"
export type { Client, Started } from "./internal/promises.ts"
export type { Address, Options, PolicyOptions, PoolOptions } from "./internal/settings.ts"
export type { OriginStats, Stats } from "./internal/stats.ts"

/**
 * A pool of connections, ready to use.
 *
 * @since 0.1.0
 * @category models
 */
export interface Http {
  readonly name: string
  /** Effect's client. Its errors are `HttpClientError`s, with the typed one as `cause`. */
  readonly client: HttpClient.HttpClient
  /** For what takes an undici `Dispatcher`; the same limits and policies, no redirects. Closing it has no effect. */
  readonly dispatcher: Dispatcher
  /** As the standard's, through `dispatcher`. */
  readonly fetch: Fetch
  readonly stats: Effect.Effect<Stats>
  /** Which of `hosts` is left out, and which is back; nothing without `hosts`. The stream does not end by itself. */
  readonly ejections: Stream.Stream<OutlierEvent>
  /**
   * One round trip to `url`, or to some of `hosts`, of which one has to answer, at most a second; without either, whether a
   * circuit is open. Never fails.
   */
  readonly health: Effect.Effect<Health>
  /** What health checks, dashboards and shutdown work with; registered in `Backends`. */
  readonly backend: Backend
}

/**
 * The tag of the one pool of a program. Programs with several declare a `Service` for each.
 *
 * @since 0.1.0
 * @category services
 */
export const Http: Context.Service<Http, Http> = Context.Service<Http>("@breakwater/http/Http")

const toService = (parts: Internal.Parts): Http => ({
  name: parts.settings.name,
  client: parts.client,
  dispatcher: parts.dispatcher,
  fetch: fetchOf(parts.dispatcher),
  stats: parts.stats,
  ejections: parts.ejections,
  health: parts.backend.health,
  backend: parts.backend
})

/** Throws for options out of range, by the call; what is wrong with the URL is in the effect. */
const prepare = (
  options: Options,
  environment?: FromEnvironment
): Effect.Effect<Http, Config.ConfigError, Scope.Scope> => {
  const bases = Url.parseAll(options.hosts ?? (options.url === undefined ? [] : [options.url]))
  const settings = resolve(options, Result.getOrElse(bases, () => []), environment)
  return Result.isFailure(bases) ? Effect.fail(bases.failure) : Effect.map(Internal.make(settings), toService)
}

/**
 * Opens a pool for as long as the scope lives; its end lets running requests finish for five seconds.
 *
 * Throws a `RangeError` for an option that is not allowed. Fails as `ConfigError` for a URL that is not.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<Http, Config.ConfigError, Scope.Scope> => prepare(options)

const prepareRead = ({ environment, options }: Read) => ConfigOptions.make("HTTP", () => prepare(options, environment))

const clientLayerOf = <Self, E>(
  tag: Context.Key<Self, Http>,
  made: Effect.Effect<Http, E, Scope.Scope>
): Layer.Layer<Self | HttpClient.HttpClient, E> =>
  Layer.effectContext(
    Effect.map(made, (http) => Context.make(tag, http).pipe(Context.add(HttpClient.HttpClient, http.client)))
  )

/**
 * A pool as `HttpClient` and `Http`. Throws and fails as `make`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Http | HttpClient.HttpClient, Config.ConfigError> =>
  clientLayerOf(Http, make(options))

/**
 * Options of which each is read from a `ConfigProvider`.
 *
 * @since 0.1.0
 * @category models
 */
export type WrappedOptions = ConfigOptions.Wrap<Options>

/**
 * As `layer`, with options from a `ConfigProvider`, which also fail as `ConfigError`. Reads `AIOHTTP_POOL_LIMIT` for
 * `pool.size.max`, `AIOHTTP_TIMEOUT_TOTAL` (seconds) for `policy.deadline`, and the profile.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (options: WrappedOptions): Layer.Layer<Http | HttpClient.HttpClient, Config.ConfigError> =>
  clientLayerOf(Http, Effect.flatMap(readOptions(options, undefined), prepareRead))

/**
 * Options of a `Service`, which has a name already.
 *
 * @since 0.1.0
 * @category models
 */
export type ServiceOptions = Given

/**
 * As `WrappedOptions`, of a `Service`.
 *
 * @since 0.1.0
 * @category models
 */
export type WrappedServiceOptions = ConfigOptions.Wrap<ServiceOptions>

/**
 * The class of one pool: a tag, and the layers that provide it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceClass<Self, Name extends string>
  extends Context.ServiceClass<Self, `@breakwater/http/Http/${Name}`, Http>
{
  /** Provides this pool only. Throws and fails as `make`. */
  readonly layer: (options: ServiceOptions) => Layer.Layer<Self, Config.ConfigError>
  /** Provides it also as the `HttpClient` of the program. */
  readonly clientLayer: (options: ServiceOptions) => Layer.Layer<Self | HttpClient.HttpClient, Config.ConfigError>
  /** As `layer`, with options from a `ConfigProvider`. */
  readonly layerConfig: (options: WrappedServiceOptions) => Layer.Layer<Self, Config.ConfigError>
  /** As `clientLayer`, with options from a `ConfigProvider`. */
  readonly clientLayerConfig: (
    options: WrappedServiceOptions
  ) => Layer.Layer<Self | HttpClient.HttpClient, Config.ConfigError>
}

/**
 * Declares a pool with a tag of its own, so that a program can have several: `HttpClient` is one tag for all.
 *
 * ```ts no-run
 * import { Http } from "@breakwater/http"
 * import { Config, Effect, Layer } from "effect"
 *
 * class Payments extends Http.Service<Payments>()("payments") {}
 * class Shipping extends Http.Service<Shipping>()("shipping") {}
 *
 * export const Upstreams = Layer.mergeAll(
 *   Payments.layerConfig({ url: Config.Redacted("PAYMENTS_URL") }),
 *   Shipping.layerConfig({ url: Config.Redacted("SHIPPING_URL") })
 * )
 *
 * export const charge = Effect.flatMap(Payments, ({ client }) => client.post("/charges"))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export const Service = <Self>() => <const Name extends string>(name: Name): ServiceClass<Self, Name> => {
  const tag = Context.Service<Self, Http>()(`@breakwater/http/Http/${name}`)
  const named = (options: ServiceOptions) => make({ ...options, name: options.name ?? name })
  const read = (options: WrappedServiceOptions) => Effect.flatMap(readOptions(options, name), prepareRead)
  return Object.assign(tag, {
    layer: (options: ServiceOptions) => Layer.effect(tag, named(options)),
    clientLayer: (options: ServiceOptions) => clientLayerOf(tag, named(options)),
    layerConfig: (options: WrappedServiceOptions) => Layer.effect(tag, read(options)),
    clientLayerConfig: (options: WrappedServiceOptions) => clientLayerOf(tag, read(options))
  })
}

/**
 * Opens a pool for code outside Effect. Throws as `make`, by the call; rejects with what `make` fails with.
 *
 * ```ts no-run
 * import { Http } from "@breakwater/http"
 *
 * await using payments = await Http.start({ name: "payments" })
 * const signal = AbortSignal.timeout(2000)
 * const response = await payments.client.fetch("https://payments.example/v1/charges/7", { signal })
 * console.log(response.status, await response.json())
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (options: Options, run?: Promises.RunOptions): Promise<Started> =>
  Promises.start(make(options), clientOf, run)
