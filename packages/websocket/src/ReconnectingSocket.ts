/**
 * A WebSocket client that comes back: after every end that a new connection may cure it dials again, with full jitter
 * and never more often than its budget allows, greets the server, and sends what has waited meanwhile.
 *
 * ```ts no-run
 * import { ReconnectingSocket } from "@breakwater/websocket"
 * import { Effect, Redacted, Stream } from "effect"
 *
 * export const program = Effect.gen(function*() {
 *   const prices = yield* ReconnectingSocket.make({
 *     name: "prices",
 *     url: Redacted.make("wss://example.com/prices"),
 *     onOpen: (session) => session.send(JSON.stringify({ subscribe: ["EUR/USD"] }))
 *   })
 *   yield* prices.send(JSON.stringify({ hello: true }))
 *   yield* Stream.runForEach(prices.messages, (message) => Effect.log(message))
 * }).pipe(Effect.scoped)
 * ```
 *
 * What the codes of a close mean to it is in `CloseCode.reaction`.
 *
 * Gotchas: `send` succeeds when the message has a place in the outbox or went to the network. What the network had when
 * the connection broke may be lost, and is never sent twice: what must arrive needs an answer of the server, and an id.
 *
 * @since 0.1.0
 */
import type { Backend, Health } from "@breakwater/core/Backend"
import * as ConfigOptions from "@breakwater/core/ConfigOptions"
import type * as Pool from "@breakwater/core/Pool"
import * as Promises from "@breakwater/core/Promises"
import * as Validate from "@breakwater/core/Validate"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { hostOf, type Options, resolve } from "./internal/clientSettings.ts"
import type { Message } from "./internal/inbox.ts"
import * as Internal from "./internal/socketBackend.ts"
import { type Client, clientOf } from "./internal/socketPromises.ts"
import type { State } from "./internal/states.ts"
import type { WebSocketError } from "./WebSocketError.ts"

export type { RunOptions } from "@breakwater/core/Promises"
export type { Options, Session } from "./internal/clientSettings.ts"
export type { Message } from "./internal/inbox.ts"
export type { Client } from "./internal/socketPromises.ts"
export type { Closed, Connecting, Open, State, Waiting } from "./internal/states.ts"

/**
 * The numbers of a socket; `dials` and what follows count since its start. Reading them is O(1).
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  readonly state: State["_tag"]
  /** Messages in the outbox. */
  readonly waiting: number
  readonly dials: number
  readonly opened: number
  readonly closed: number
  /** Dials that failed since the last that did not. */
  readonly failedInARow: number
  /** Messages. */
  readonly sent: number
  readonly received: number
  /** Messages that `drop-oldest` took out of the outbox. */
  readonly dropped: number
}

/**
 * A client that comes back.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReconnectingSocket {
  readonly name: string
  /**
   * What the server sends, over all connections, each message once, for one reader. While nobody reads,
   * `receive.buffer` bytes wait here and the server is read no further. Ends with the socket, and fails as `GivenUp`.
   */
  readonly messages: Stream.Stream<Message, WebSocketError>
  /**
   * Sends now or, without a connection, with the next one. Never waits. Fails as `BufferFull` when the outbox is,
   * `MessageTooLarge`, `GivenUp` and `Draining`.
   */
  readonly send: (message: Message) => Effect.Effect<void, WebSocketError>
  /**
   * Waits until it is open; fails with why it is not at the limit, or once it has given up. Throws a `RangeError` for a
   * limit that is not allowed.
   */
  readonly awaitOpen: (limit: Duration.Input) => Effect.Effect<void, WebSocketError>
  readonly state: Effect.Effect<State>
  /** The state of now and every one that follows; ends with `Closed`. A slow listener loses the oldest. */
  readonly states: Stream.Stream<State>
  readonly stats: Effect.Effect<Stats>
  /** One ping and its answer, at most a second. Never fails. */
  readonly health: Effect.Effect<Health>
  /**
   * Sends what waits, if there is a connection, and closes with 1000; at the deadline without a word. Throws a
   * `RangeError` for a deadline that is not allowed.
   */
  readonly drain: (deadline: Duration.Input) => Effect.Effect<Pool.DrainReport>
  /** What health checks, dashboards and shutdown work with; registered in `Backends`. */
  readonly backend: Backend
}

/**
 * The tag of the one socket of a program. Programs with several declare a `Service` for each.
 *
 * @since 0.1.0
 * @category services
 */
export const ReconnectingSocket: Context.Service<ReconnectingSocket, ReconnectingSocket> = Context.Service<
  ReconnectingSocket
>("@breakwater/websocket/ReconnectingSocket")

const toService = ({ backend, reconnector }: Internal.Parts): ReconnectingSocket => ({
  name: reconnector.settings.name,
  messages: reconnector.inbox.stream,
  send: (message) => reconnector.send(message),
  awaitOpen: (limit) => Internal.awaitOpen(reconnector, Validate.boundedMillis("limit", limit)),
  state: Effect.sync(() => reconnector.states.current),
  states: reconnector.states.stream,
  stats: Effect.sync(() => ({
    state: reconnector.states.current._tag,
    waiting: reconnector.outbox.size,
    ...reconnector.counts,
    dropped: reconnector.outbox.dropped
  })),
  health: backend.health,
  drain: backend.drain,
  backend
})

/**
 * A socket for as long as the scope lives; it connects in the background. The scope's end drains it with a deadline of
 * five seconds.
 *
 * Throws a `RangeError` for an option that is not allowed. Fails as `ConfigError` for a URL that is not.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<ReconnectingSocket, Config.ConfigError, Scope.Scope> => {
  const host = hostOf(options.url)
  const made = Internal.make(resolve(options, Result.getOrElse(host, () => "")))
  return Result.isFailure(host) ? Effect.fail(host.failure) : Effect.map(made, toService)
}

/**
 * A socket as `ReconnectingSocket`. Throws and fails as `make`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<ReconnectingSocket, Config.ConfigError> =>
  Layer.effect(ReconnectingSocket, make(options))

/**
 * As `layer`, with options from a `ConfigProvider`; fails as `ConfigError`, also for those that are not allowed.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: ConfigOptions.Wrap<Options>
): Layer.Layer<ReconnectingSocket, Config.ConfigError> => Layer.effect(ReconnectingSocket, read(options, make))

const read = <Given>(
  options: ConfigOptions.Wrap<Given>,
  open: (given: Given) => Effect.Effect<ReconnectingSocket, Config.ConfigError, Scope.Scope>
) => Effect.flatMap(ConfigOptions.unwrap(options), (given) => ConfigOptions.make("WebSocket", () => open(given)))

/**
 * Options of a `Service`, which has a name already.
 *
 * @since 0.1.0
 * @category models
 */
export type ServiceOptions = ConfigOptions.OptionalName<Options>

/**
 * The class of one socket: a tag, and the layers that provide it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceClass<Self, Name extends string>
  extends Context.ServiceClass<Self, `@breakwater/websocket/ReconnectingSocket/${Name}`, ReconnectingSocket>
{
  /** Throws and fails as `make`. */
  readonly layer: (options: ServiceOptions) => Layer.Layer<Self, Config.ConfigError>
  /** As `layer`, with options from a `ConfigProvider`. */
  readonly layerConfig: (options: ConfigOptions.Wrap<ServiceOptions>) => Layer.Layer<Self, Config.ConfigError>
}

/**
 * Declares a socket with a tag of its own, so that a program can have several.
 *
 * @since 0.1.0
 * @category services
 */
export const Service = <Self>() => <const Name extends string>(name: Name): ServiceClass<Self, Name> => {
  const tag = Context.Service<Self, ReconnectingSocket>()(`@breakwater/websocket/ReconnectingSocket/${name}`)
  const named = (options: ServiceOptions) => make({ ...options, name: options.name ?? name })
  return Object.assign(tag, {
    layer: (options: ServiceOptions) => Layer.effect(tag, named(options)),
    layerConfig: (options: ConfigOptions.Wrap<ServiceOptions>) => Layer.effect(tag, read(options, named))
  })
}

/**
 * A socket that runs until `close`, which sends what waits if there is a connection, within five seconds.
 *
 * @since 0.1.0
 * @category models
 */
export type Started = Promises.Started<Client, Stats>

/**
 * A socket for code outside Effect, that runs until `close`. Throws as `make`, by the call; rejects with what `make`
 * fails with.
 *
 * ```ts no-run
 * import { ReconnectingSocket } from "@breakwater/websocket"
 * import { Redacted } from "effect"
 *
 * await using prices = await ReconnectingSocket.start({ name: "prices", url: Redacted.make("wss://example.com/prices") })
 * await prices.client.send("hello", { signal: AbortSignal.timeout(1000) })
 * for await (const message of prices.client.messages) console.log(message)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (options: Options, run?: Promises.RunOptions): Promise<Started> =>
  Promises.start(make(options), clientOf, run)
