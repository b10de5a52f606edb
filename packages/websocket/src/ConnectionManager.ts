/**
 * The WebSocket connections of a server: how many there may be, which of them are alive, what may wait for a slow one,
 * and an end that tells every peer.
 *
 * ```ts no-run
 * import { ConnectionManager } from "@breakwater/websocket"
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Effect, Layer, Stream } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { createServer } from "node:http"
 *
 * class Feed extends ConnectionManager.Service<Feed>()("feed") {}
 *
 * const Routes = HttpRouter.use((router) =>
 *   Effect.gen(function*() {
 *     const feed = yield* Feed
 *     yield* router.add("GET", "/feed", feed.upgrade((connection) =>
 *       Stream.runForEach(connection.messages, (message) => feed.broadcast(message))
 *     ))
 *   })
 * )
 *
 * export const Server = HttpRouter.serve(Routes).pipe(
 *   Feed.drainBefore,
 *   Layer.provide(Feed.layer({ connections: { max: 1000, maxPerKey: 5 } })),
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 3000 }))
 * )
 * ```
 *
 * Runs on `NodeHttpServer`, in Node, Bun and Deno, and with `accept` on any server of `node:http`. Whether a peer may
 * connect at all is for the route to decide, before it upgrades.
 *
 * Gotchas: a `NodeHttpServer` that ends waits for its connections, and WebSockets are such, for ever. They must be closed
 * first: by `drainBefore` around the server's layer, or by the `Lifecycle` of the process.
 * A message counts as sent when the network has it; only an answer of the peer tells that it arrived.
 *
 * @since 0.1.0
 */
import type { Backend, Health } from "@breakwater/core/Backend"
import * as ConfigOptions from "@breakwater/core/ConfigOptions"
import type * as Pool from "@breakwater/core/Pool"
import * as Promises from "@breakwater/core/Promises"
import type * as NodeWS from "@effect/platform-node/NodeWS"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Connection from "./internal/connection.ts"
import * as Handshake from "./internal/handshake.ts"
import type { Message } from "./internal/inbox.ts"
import type { AddOptions, BroadcastOptions, BroadcastReport, HealthReport } from "./internal/manager.ts"
import * as Internal from "./internal/managerBackend.ts"
import { type Client, clientOf } from "./internal/managerPromises.ts"
import { type Options, resolve } from "./internal/settings.ts"
import * as Upgrading from "./internal/upgrade.ts"
import type { WebSocketError } from "./WebSocketError.ts"

export type { RunOptions } from "@breakwater/core/Promises"
export type { CloseInfo } from "./internal/channel.ts"
export type { CloseOptions, Connection, Registered } from "./internal/connection.ts"
export type { Upgrade } from "./internal/handshake.ts"
export type { Message } from "./internal/inbox.ts"
export type { AddOptions, BroadcastOptions, BroadcastReport, HealthReport } from "./internal/manager.ts"
export type { Client, PromiseConnection } from "./internal/managerPromises.ts"
export type { Options } from "./internal/settings.ts"

/**
 * The numbers of a manager; `opened` and what follows count since its start. Reading them is O(1).
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Open now. */
  readonly connections: number
  readonly max: number
  /** Keys that have a connection. */
  readonly keys: number
  /** Sends that wait for room. */
  readonly waiting: number
  readonly opened: number
  readonly closed: number
  /** Closed, since they gave no sign of life. */
  readonly dead: number
  /** Closed, since no message went over them. */
  readonly idle: number
  /** Closed, since their peers did not read. */
  readonly slow: number
  /** Turned away: no room, too many of a key, an id that is taken. */
  readonly refused: number
  /** Turned away while draining. */
  readonly refusedDraining: number
  /** Messages. */
  readonly sent: number
  readonly received: number
}

/**
 * The connections in the names of dashboards that know them so. O(n), for the list of ids.
 *
 * @since 0.1.0
 * @category models
 */
export interface Summary {
  readonly total_connections: number
  readonly max_connections: number
  readonly connection_ids: ReadonlyArray<string>
}

/**
 * The connections of a server.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionManager {
  readonly name: string
  /**
   * Answers a request by a connection that lives as long as the handler runs: the handler's end closes it with 1000, its
   * failure with 1011, an interruption with 1001. When the peer leaves, `messages` ends, and five seconds later the
   * handler is interrupted if it still runs.
   *
   * Fails as the handler does, and as `HandshakeFailed`, `TooManyConnections`, `IdTaken` or `Draining`, of which the peer
   * has been told already.
   */
  readonly upgrade: <E, R>(
    handler: (connection: Connection.Connection) => Effect.Effect<unknown, E, R>,
    options?: AddOptions
  ) => Effect.Effect<HttpServerResponse, WebSocketError | E, R | HttpServerRequest>
  /** The same for the `upgrade` event of a server of `node:http`. The connection lives until somebody closes it. */
  readonly accept: (
    upgrade: Handshake.Upgrade,
    options?: AddOptions
  ) => Effect.Effect<Connection.Connection, WebSocketError>
  /** Registers a socket of the `ws` package that is open. The connection lives until somebody closes it. */
  readonly add: (
    socket: NodeWS.WebSocket,
    options?: AddOptions
  ) => Effect.Effect<Connection.Connection, WebSocketError>
  /** Finds an open connection, to be sent to or closed; its messages are its handler's. */
  readonly get: (id: string) => Effect.Effect<Option.Option<Connection.Registered>>
  /** Closes one and waits for its end, five seconds at most; false when no connection has this id. */
  readonly remove: (id: string, options?: Connection.CloseOptions) => Effect.Effect<boolean>
  /** Of all that are open, the oldest first. */
  readonly ids: Effect.Effect<ReadonlyArray<string>>
  /** As `Connection.send`; fails as `UnknownConnection` when no connection has this id. */
  readonly send: (id: string, message: Message) => Effect.Effect<void, WebSocketError>
  /**
   * Sends to all, or to those of a key, and waits for none: a peer whose send buffer is full is closed or skipped.
   * Fails as `MessageTooLarge`.
   */
  readonly broadcast: (
    message: Message,
    options?: BroadcastOptions
  ) => Effect.Effect<BroadcastReport, WebSocketError>
  /** How many connections a key has. O(1). */
  readonly count: (key: string) => Effect.Effect<number>
  /**
   * Pings every peer and closes those that gave no sign of life within `heartbeat.timeout`; what the heartbeat does.
   */
  readonly healthCheck: Effect.Effect<HealthReport>
  readonly stats: Effect.Effect<Stats>
  readonly summary: Effect.Effect<Summary>
  /** Whether peers are let in. Never fails. */
  readonly health: Effect.Effect<Health>
  /**
   * Turns new peers away, closes all with 1001, and ends those without a word that have not answered by the deadline.
   * Throws a `RangeError` for a deadline that is not allowed.
   */
  readonly drain: (deadline: Duration.Input) => Effect.Effect<Pool.DrainReport>
  /** What health checks, dashboards and shutdown work with; registered in `Backends`. */
  readonly backend: Backend
}

/**
 * The tag of the one manager of a program. Programs with several declare a `Service` for each.
 *
 * @since 0.1.0
 * @category services
 */
export const ConnectionManager: Context.Service<ConnectionManager, ConnectionManager> = Context.Service<
  ConnectionManager
>("@breakwater/websocket/ConnectionManager")

const statsOf = ({ registry, settings }: Internal.Parts["manager"]): Stats => ({
  connections: registry.entries.size,
  max: settings.max,
  keys: registry.keyCount,
  ...registry.counts
})

const toService = ({ backend, manager }: Internal.Parts): ConnectionManager => {
  const { registry, settings } = manager
  const handshake = Handshake.make(settings)
  const add: ConnectionManager["add"] = (socket, options) => Effect.map(manager.add(socket, options), Connection.make)
  return {
    name: settings.name,
    upgrade: (handler, options) => Upgrading.upgrade(manager, handshake, handler, options),
    accept: (upgrade, options) =>
      Effect.uninterruptible(Effect.flatMap(handshake(upgrade), (socket) => add(socket, options))),
    add,
    get: (id) => Effect.sync(() => Option.map(Option.fromNullishOr(registry.entries.get(id)), Connection.registered)),
    remove: (id, options) => {
      const closing = Connection.closeWith(options)
      return Effect.suspend(() => {
        const entry = registry.entries.get(id)
        return entry === undefined ? Effect.succeed(false) : Effect.as(closing(entry.channel), true)
      })
    },
    ids: Effect.sync(() => [...registry.entries.keys()]),
    send: (id, message) => Effect.flatMap(manager.find(id), ({ channel }) => channel.send(message)),
    broadcast: (message, options) => manager.broadcast(message, options),
    count: (key) => Effect.sync(() => registry.ofKey(key).size),
    healthCheck: manager.healthCheck,
    stats: Effect.sync(() => statsOf(manager)),
    summary: Effect.sync(() => ({
      total_connections: registry.entries.size,
      max_connections: settings.max,
      connection_ids: [...registry.entries.keys()]
    })),
    health: backend.health,
    drain: backend.drain,
    backend
  }
}

/**
 * A manager for as long as the scope lives; its end drains it with a deadline of five seconds.
 *
 * Throws a `RangeError` for an option that is not allowed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<ConnectionManager, never, Scope.Scope> =>
  Effect.map(Internal.make(resolve(options)), toService)

/**
 * A manager as `ConnectionManager`. Throws as `make`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<ConnectionManager> =>
  Layer.effect(ConnectionManager, make(options))

/** How long the peers have, when a server ends. */
const DRAIN_LIMIT = "5 seconds"

const drainBeforeOf =
  <Self>(tag: Context.Key<Self, ConnectionManager>) =>
  <A, E, R>(server: Layer.Layer<A, E, R>): Layer.Layer<A, E, R | Self> =>
    Effect.service(tag).pipe(
      Effect.flatMap((manager) => Effect.addFinalizer(() => manager.drain(DRAIN_LIMIT))),
      Layer.effectDiscard,
      Layer.provideMerge(server)
    )

/**
 * Puts the drain of `ConnectionManager`, with a deadline of five seconds, before the end of a server, which would
 * otherwise wait for the connections. For the layer that serves the routes.
 *
 * @since 0.1.0
 * @category layers
 */
export const drainBefore: <A, E, R>(server: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R | ConnectionManager> =
  drainBeforeOf(ConnectionManager)

/**
 * As `layer`, with options from a `ConfigProvider`, and the profile as `Profile.fromConfig` reads it; fails as
 * `ConfigError`, also for those that are not allowed.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: ConfigOptions.Wrap<Options>
): Layer.Layer<ConnectionManager, Config.ConfigError> => Layer.effect(ConnectionManager, read(options, undefined))

const read = (options: ConfigOptions.Wrap<ServiceOptions>, name: string | undefined) =>
  Effect.flatMap(
    ConfigOptions.read<ServiceOptions>(options, name),
    (given) => ConfigOptions.make("WebSocket", () => make(given))
  )

/**
 * Options of a `Service`, which has a name already.
 *
 * @since 0.1.0
 * @category models
 */
export type ServiceOptions = ConfigOptions.OptionalName<Options>

/**
 * The class of one manager: a tag, and the layers that provide it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceClass<Self, Name extends string>
  extends Context.ServiceClass<Self, `@breakwater/websocket/ConnectionManager/${Name}`, ConnectionManager>
{
  /** Throws as `make`. */
  readonly layer: (options?: ServiceOptions) => Layer.Layer<Self>
  /** As `layer`, with options from a `ConfigProvider`. */
  readonly layerConfig: (options: ConfigOptions.Wrap<ServiceOptions>) => Layer.Layer<Self, Config.ConfigError>
  /** As the function of this name, for this manager. */
  readonly drainBefore: <A, E, R>(server: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R | Self>
}

/**
 * Declares a manager with a tag of its own, so that a program can have several.
 *
 * @since 0.1.0
 * @category services
 */
export const Service = <Self>() => <const Name extends string>(name: Name): ServiceClass<Self, Name> => {
  const tag = Context.Service<Self, ConnectionManager>()(`@breakwater/websocket/ConnectionManager/${name}`)
  const named = (options: ServiceOptions) => make({ ...options, name: options.name ?? name })
  return Object.assign(tag, {
    layer: (options: ServiceOptions = {}) => Layer.effect(tag, named(options)),
    layerConfig: (options: ConfigOptions.Wrap<ServiceOptions>) => Layer.effect(tag, read(options, name)),
    drainBefore: drainBeforeOf(tag)
  })
}

/**
 * A manager that runs until `close`, which closes all connections with 1001, within five seconds.
 *
 * @since 0.1.0
 * @category models
 */
export type Started = Promises.Started<Client, Stats>

/**
 * A manager for code outside Effect, that runs until `close`. Throws as `make`, by the call.
 *
 * ```ts no-run
 * import { ConnectionManager } from "@breakwater/websocket"
 * import { createServer } from "node:http"
 *
 * const feed = await ConnectionManager.start({ name: "feed" })
 * const server = createServer()
 * server.on("upgrade", async (request, socket, head) => {
 *   const connection = await feed.client.accept({ request, socket, head }, { key: "guest" }).catch(() => undefined)
 *   for await (const message of connection?.messages ?? []) await connection?.send(message)
 * })
 * server.listen(3000)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (options: Options, run?: Promises.RunOptions): Promise<Started> =>
  Promises.start(make(options), clientOf, run)
