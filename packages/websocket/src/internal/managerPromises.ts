/**
 * The same manager for code outside Effect.
 *
 * @internal
 */
import { run, type RunOptions } from "@breakwater/core/Promises"
import type * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { WebSocketError } from "../WebSocketError.ts"
import type { CloseInfo } from "./channel.ts"
import type { CloseOptions, Connection } from "./connection.ts"
import type { Upgrade } from "./handshake.ts"
import type { Message } from "./inbox.ts"
import type { AddOptions, BroadcastOptions, BroadcastReport, HealthReport } from "./manager.ts"

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

interface Service {
  readonly accept: (upgrade: Upgrade, options?: AddOptions) => Effect.Effect<Connection, WebSocketError>
  readonly send: (id: string, message: Message) => Effect.Effect<void, WebSocketError>
  readonly broadcast: (
    message: Message,
    options?: BroadcastOptions
  ) => Effect.Effect<BroadcastReport, WebSocketError>
  readonly remove: (id: string, options?: CloseOptions) => Effect.Effect<boolean>
  readonly ids: Effect.Effect<ReadonlyArray<string>>
  readonly healthCheck: Effect.Effect<HealthReport>
}

const connectionOf = (connection: Connection): PromiseConnection => ({
  id: connection.id,
  key: connection.key,
  messages: Stream.toAsyncIterable(connection.messages),
  send: (message, options) => run(connection.send(message), options),
  close: (options) => run(connection.close(options), options),
  closed: (options) => run(connection.closed, options)
})

export const clientOf = (service: Service): Client => ({
  accept: async (upgrade, options) => connectionOf(await run(service.accept(upgrade, options), options)),
  send: (id, message, options) => run(service.send(id, message), options),
  broadcast: (message, options) => run(service.broadcast(message, options), options),
  remove: (id, options) => run(service.remove(id, options), options),
  ids: (options) => run(service.ids, options),
  healthCheck: (options) => run(service.healthCheck, options)
})
