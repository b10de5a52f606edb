/**
 * What people who run a service ask it: is it alive, should it get requests, how are its backends, what did they do. As
 * routes of a router of Effect, or as a handler of web requests for any other server.
 *
 * | path | to whom | gives |
 * |---|---|---|
 * | `/health/live` | everybody | 200 while the process answers; asks no backend |
 * | `/health/ready` | everybody | 200, or 503 outside of the phase `ready` and while a critical backend does not answer |
 * | `/health/pools`, `/health` | everybody, errors and holders to the authorized | a round trip to each backend; 200 or 503 |
 * | `/stats` | the authorized | the numbers of pools and policies, times, who holds what |
 * | `/stats/database` | the authorized | one database in the shape of the guides |
 * | `/metrics` | the authorized | Effect's metrics for Prometheus |
 * | `/pools`, `/pools/stream` | the authorized | the dashboard, and what it lives on |
 *
 * Authorized is who has the token, or whom `authorize` lets in; where neither is given, who asks from this machine.
 *
 * It reads `Backends`, so backends need not be named; and the phase from `Lifecycle`, where one is around.
 *
 * @since 0.1.0
 */
import type * as Lifecycle from "@breakwater/core/Lifecycle"
import * as Validate from "@breakwater/core/Validate"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Access from "./internal/access.ts"
import { empty } from "./internal/answer.ts"
import * as Log from "./internal/log.ts"
import * as Routes from "./internal/routes.ts"

/**
 * Which endpoints there are, and for whom.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How `/stats` and the dashboard call the service. Default `"service"`. */
  readonly service?: string | undefined
  /** Before every path: `/api/v1/accounts` makes it `/api/v1/accounts/health`. Default none. */
  readonly prefix?: string | undefined
  /**
   * Who sends it as `Authorization: Bearer …` is authorized; compared in a time that does not depend on what is sent. At
   * least 16 visible ASCII characters. Not beside `authorize`.
   */
  readonly token?: Redacted.Redacted | undefined
  /** Says who is authorized. It must not fail: whoever is not let in is answered 401. */
  readonly authorize?: ((request: HttpServerRequest) => Effect.Effect<boolean> | boolean) | undefined
  /**
   * Who gets the dashboard's page, which holds no numbers: those come by its stream, which is for the authorized in any
   * case. A browser sends no token when it opens a page, so beside a token only `public` lets people open it. Default
   * `authorized`.
   */
  readonly dashboard?: "public" | "authorized" | undefined
  /** Whether `/stats` has each backend's numbers also under the names of `GuideStats`, as `guide`. Default false. */
  readonly guideStats?: boolean | undefined
  /** Whether changes of backends are written to the log, as `logChanges` does. Default true. */
  readonly logs?: boolean | undefined
  /** How many dashboards may be open at once; the next one is answered 503. Default 16. */
  readonly maxDashboards?: number | undefined
}

/**
 * For a server that is not of Effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebOptions extends Options {
  /** The phase of the process. Default: there is none, and readiness follows the critical backends alone. */
  readonly phase?: Effect.Effect<Lifecycle.Phase> | undefined
}

/**
 * Writes one line for each change of a backend, with the reason: a breaker opens, a server
 * cannot be reached and is again, callers are turned away and all served again, a pool is paused, resized, drained, a
 * connection is held for suspiciously long. Nothing while all is well. Calls do no work for it.
 *
 * @since 0.1.0
 * @category logging
 */
export const logChanges: Layer.Layer<never> = Layer.effectDiscard(Log.changes)

const PREFIX = /^(?:\/[\w.~-]+)*$/

const settingsOf = (options: WebOptions): Routes.Settings => ({
  service: Validate.text("service", options.service ?? "service"),
  access: Access.make(options),
  publicPage: Validate.oneOf("dashboard", options.dashboard ?? "authorized", ["public", "authorized"]) === "public",
  readers: Validate.integer("maxDashboards", options.maxDashboards ?? 16, 1),
  guideStats: options.guideStats ?? false,
  phase: options.phase
})

const prefixOf = ({ prefix = "" }: Options): string =>
  PREFIX.test(prefix) ? prefix : Validate.refuse("prefix", prefix, "a path such as /internal, that does not end in /")

const routes = (options: WebOptions): Layer.Layer<never, never, HttpRouter.HttpRouter> => {
  const settings = settingsOf(options)
  const endpoints = Layer.effectDiscard(Routes.add(prefixOf(options), settings))
  // One and the same layer however often it is named: it is built once.
  return options.logs === false ? endpoints : Layer.merge(endpoints, logChanges)
}

/**
 * Adds the endpoints to a router. It stands outside of the backends, and of `Lifecycle` where there is one. Throws a
 * `RangeError` for an option that is not allowed.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, HttpRouter.HttpRouter> => routes(options)

/**
 * Writes a line every so often that says how every pool stands. Throws a `RangeError` for a time that is not allowed.
 *
 * @since 0.1.0
 * @category logging
 */
export const logStats = (every: Duration.Input): Layer.Layer<never> => {
  const millis = Validate.boundedMillis("every", every)
  return Layer.effectDiscard(Effect.forkScoped(Log.stats(millis)))
}

/**
 * The endpoints for any server that speaks web requests and responses. A request does not say who sent it: without
 * `token` or `authorize` only the health endpoints answer. What has no endpoint is answered 404. `dispose` ends it.
 * Throws a `RangeError` for an option that is not allowed.
 *
 * @since 0.1.0
 * @category converting
 */
export const toWebHandler = (options: WebOptions = {}): {
  readonly handler: (request: Request) => Promise<Response>
  readonly dispose: () => Promise<void>
} =>
  HttpRouter.toWebHandler(Layer.merge(routes(options), HttpRouter.add("*", "*", empty(404))), { disableLogger: true })
