/**
 * The same manager for code outside Effect.
 *
 * @internal
 */
import type { Health } from "@breakwater/core/Backend"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { WebSocketError } from "../WebSocketError.ts"
import type { CloseInfo } from "./channel.ts"
import type { CloseOptions, Connection } from "./connection.ts"
import type { Upgrade } from "./handshake.ts"
import type { Message } from "./inbox.ts"
import type { AddOptions, BroadcastOptions, BroadcastReport, HealthReport } from "./manager.ts"
import { open, type RunOptions, runPromise } from "./promises.ts"

/**
 * An open connection; its methods do and reject as those of `Connection` do and fail.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromiseConnection {
  readonly id: string
  readonly key: string | undefined
  readonly messages: AsyncIterable<Message>
  readonly send: (message: Message, options?: RunOptions) => Promise<void>
  readonly close: (options?: CloseOptions & RunOptions) => Promise<CloseInfo>
  readonly closed: (options?: RunOptions) => Promise<CloseInfo>
}

/**
 * The connections of a server, as promises; its methods do and reject as those of `ConnectionManager` do and fail.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  readonly accept: (upgrade: Upgrade, options?: AddOptions & RunOptions) => Promise<PromiseConnection>
  readonly send: (id: string, message: Message, options?: RunOptions) => Promise<void>
  readonly broadcast: (message: Message, options?: BroadcastOptions & RunOptions) => Promise<BroadcastReport>
  readonly remove: (id: string, options?: CloseOptions & RunOptions) => Promise<boolean>
  readonly ids: (options?: RunOptions) => Promise<ReadonlyArray<string>>
  readonly healthCheck: (options?: RunOptions) => Promise<HealthReport>
}

/**
 * A manager that runs until `close`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Started<Stats> extends AsyncDisposable {
  readonly client: Client
  readonly stats: (options?: RunOptions) => Promise<Stats>
  readonly health: (options?: RunOptions) => Promise<Health>
  /** Closes all connections with 1001, within five seconds. Closing twice is closing once. */
  readonly close: (options?: RunOptions) => Promise<void>
}

interface Service<Stats> {
  readonly accept: (upgrade: Upgrade, options?: AddOptions) => Effect.Effect<Connection, WebSocketError>
  readonly send: (id: string, message: Message) => Effect.Effect<void, WebSocketError>
  readonly broadcast: (
    message: Message,
    options?: BroadcastOptions
  ) => Effect.Effect<BroadcastReport, WebSocketError>
  readonly remove: (id: string, options?: CloseOptions) => Effect.Effect<boolean>
  readonly ids: Effect.Effect<ReadonlyArray<string>>
  readonly healthCheck: Effect.Effect<HealthReport>
  readonly stats: Effect.Effect<Stats>
  readonly health: Effect.Effect<Health>
}

const connectionOf = (connection: Connection): PromiseConnection => ({
  id: connection.id,
  key: connection.key,
  messages: Stream.toAsyncIterable(connection.messages),
  send: (message, options) => runPromise(connection.send(message), options),
  close: (options) => runPromise(connection.close(options), options),
  closed: (options) => runPromise(connection.closed, options)
})

const clientOf = <Stats>(service: Service<Stats>): Client => ({
  accept: async (upgrade, options) => connectionOf(await runPromise(service.accept(upgrade, options), options)),
  send: (id, message, options) => runPromise(service.send(id, message), options),
  broadcast: (message, options) => runPromise(service.broadcast(message, options), options),
  remove: (id, options) => runPromise(service.remove(id, options), options),
  ids: (options) => runPromise(service.ids, options),
  healthCheck: (options) => runPromise(service.healthCheck, options)
})

export const start = async <Stats, E>(
  make: Effect.Effect<Service<Stats>, E, Scope.Scope>,
  options: RunOptions | undefined
): Promise<Started<Stats>> => {
  const { close, service } = await open(make, options)
  return {
    client: clientOf(service),
    stats: (given) => runPromise(service.stats, given),
    health: (given) => runPromise(service.health, given),
    close: (given) => runPromise(Effect.promise(close), given),
    [Symbol.asyncDispose]: close
  }
}
