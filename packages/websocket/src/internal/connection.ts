/**
 * What a handler holds of a connection.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import * as CloseCode from "../CloseCode.ts"
import type { WebSocketError } from "../WebSocketError.ts"
import type { Channel, CloseInfo } from "./channel.ts"
import * as CloseFrame from "./closeFrame.ts"
import type { Inbox, Message } from "./inbox.ts"
import type { Entry } from "./registry.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface CloseOptions {
  /** Default 1000. */
  readonly code?: number | undefined
  /** At most 123 bytes, which the peer gets to read. Default: none. */
  readonly reason?: string | undefined
}

/**
 * A connection as others than its handler see it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Registered {
  readonly id: string
  /** Whose it is, as it was registered. */
  readonly key: string | undefined
  /**
   * Hands a message to the network; that it arrived, only an answer of the peer can tell. Waits for room at most
   * `send.timeout`, then fails as `SlowReader`, and the connection is closed.
   */
  readonly send: (message: Message) => Effect.Effect<void, WebSocketError>
  /**
   * Closes, and waits for the peer's answer for five seconds at most. Throws a `RangeError` for a code or a reason that
   * cannot be sent.
   */
  readonly close: (options?: CloseOptions) => Effect.Effect<CloseInfo>
  /** Waits for the end. */
  readonly closed: Effect.Effect<CloseInfo>
}

/**
 * An open connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection extends Registered {
  /**
   * What the peer sends, each message once, for one reader. While nobody reads, `receive.buffer` bytes wait here and the
   * peer is read no further. Ends when the connection is closed; fails as `ConnectionClosed` when it broke.
   */
  readonly messages: Stream.Stream<Message, WebSocketError>
}

export const registered = ({ channel, key }: Entry): Registered => ({
  id: channel.id,
  key,
  send: (message) => channel.send(message),
  close: (options) => closeWith(options)(channel),
  closed: Deferred.await(channel.closed)
})

export const make = (entry: Entry & { readonly inbox: Inbox }): Connection => ({
  ...registered(entry),
  messages: entry.inbox.stream
})

/** Throws by the call for what cannot be sent. */
export const closeWith = (options: CloseOptions = {}): (channel: Channel) => Effect.Effect<CloseInfo> => {
  const { code = CloseCode.normal, reason = "" } = options
  CloseFrame.check(code, reason)
  return (channel) => channel.close(code, reason, "Local")
}
