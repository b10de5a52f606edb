/**
 * The same socket for code outside Effect.
 *
 * @internal
 */
import { run, type RunOptions } from "@breakwater/core/Promises"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { WebSocketError } from "../WebSocketError.ts"
import type { Message } from "./inbox.ts"
import type { State } from "./states.ts"

/**
 * A socket as promises; its methods do and reject as those of `ReconnectingSocket` do and fail.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  readonly messages: AsyncIterable<Message>
  readonly states: AsyncIterable<State>
  readonly send: (message: Message, options?: RunOptions) => Promise<void>
  readonly awaitOpen: (limit: Duration.Input, options?: RunOptions) => Promise<void>
}

interface Service {
  readonly messages: Stream.Stream<Message, WebSocketError>
  readonly states: Stream.Stream<State>
  readonly send: (message: Message) => Effect.Effect<void, WebSocketError>
  readonly awaitOpen: (limit: Duration.Input) => Effect.Effect<void, WebSocketError>
}

export const clientOf = (service: Service): Client => ({
  messages: Stream.toAsyncIterable(service.messages),
  states: Stream.toAsyncIterable(service.states),
  send: (message, given) => run(service.send(message), given),
  awaitOpen: (limit, given) => run(service.awaitOpen(limit), given)
})
