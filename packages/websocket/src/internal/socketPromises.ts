/**
 * The same socket for code outside Effect.
 *
 * @internal
 */
import type { Health } from "@breakwater/core/Backend"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { WebSocketError } from "../WebSocketError.ts"
import type { Message } from "./inbox.ts"
import { open, type RunOptions, runPromise } from "./promises.ts"
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

/**
 * A socket that runs until `close`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Started<Stats> extends AsyncDisposable {
  readonly client: Client
  readonly stats: (options?: RunOptions) => Promise<Stats>
  readonly health: (options?: RunOptions) => Promise<Health>
  /** Sends what waits if there is a connection, and closes, within five seconds. Closing twice is closing once. */
  readonly close: (options?: RunOptions) => Promise<void>
}

interface Service<Stats> {
  readonly messages: Stream.Stream<Message, WebSocketError>
  readonly states: Stream.Stream<State>
  readonly send: (message: Message) => Effect.Effect<void, WebSocketError>
  readonly awaitOpen: (limit: Duration.Input) => Effect.Effect<void, WebSocketError>
  readonly stats: Effect.Effect<Stats>
  readonly health: Effect.Effect<Health>
}

export const start = async <Stats, E>(
  make: Effect.Effect<Service<Stats>, E, Scope.Scope>,
  options: RunOptions | undefined
): Promise<Started<Stats>> => {
  const { close, service } = await open(make, options)
  return {
    client: {
      messages: Stream.toAsyncIterable(service.messages),
      states: Stream.toAsyncIterable(service.states),
      send: (message, given) => runPromise(service.send(message), given),
      awaitOpen: (limit, given) => runPromise(service.awaitOpen(limit), given)
    },
    stats: (given) => runPromise(service.stats, given),
    health: (given) => runPromise(service.health, given),
    close: (given) => runPromise(Effect.promise(close), given),
    [Symbol.asyncDispose]: close
  }
}
