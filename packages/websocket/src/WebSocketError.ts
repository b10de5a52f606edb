/**
 * What can go wrong with a connection, on the server's side and on the client's.
 *
 * @since 0.1.0
 */
import * as Outcome from "@breakwater/core/Outcome"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"

const TypeId = "~@breakwater/websocket/WebSocketError"

/**
 * No connection: the server could not be reached, or it answered the handshake with an HTTP `status`, and perhaps with
 * the time to wait before the next.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectFailed {
  readonly _tag: "ConnectFailed"
  readonly socket: string
  readonly status: number | undefined
  readonly retryAfter: Duration.Duration | undefined
  readonly cause: unknown
}

/**
 * A request could not be turned into a connection: it is no handshake, or its peer is gone. It has been answered.
 *
 * @since 0.1.0
 * @category models
 */
export interface HandshakeFailed {
  readonly _tag: "HandshakeFailed"
  readonly socket: string
}

/**
 * The connection has ended. `why` says who ended it: the peer; this side, on purpose (`Local`), since the peer did not
 * answer a ping (`Dead`), sent and received nothing (`Idle`), did not read (`SlowReader`), or since this side ends
 * (`Drained`). What was sent before may or may not have arrived.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionClosed {
  readonly _tag: "ConnectionClosed"
  readonly socket: string
  readonly connection: string
  readonly code: number
  readonly closeReason: string
  readonly why: CloseWhy
  /** `no` for a message that was never handed to the network. */
  readonly sent: "no" | "unknown"
}

/**
 * Who ended a connection, and for what.
 *
 * @since 0.1.0
 * @category models
 */
export type CloseWhy = "Peer" | "Local" | "Dead" | "Idle" | "SlowReader" | "Drained"

/**
 * The peer did not read: the send buffer had no room for the message within `waited`. The connection was closed.
 *
 * @since 0.1.0
 * @category models
 */
export interface SlowReader {
  readonly _tag: "SlowReader"
  readonly socket: string
  readonly connection: string
  readonly waited: Duration.Duration
  /** Bytes that the peer had not read. */
  readonly buffered: number
}

/**
 * No more may wait: `limit` sends wait for a slow peer, or as many messages lie in the outbox. Nothing was sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface BufferFull {
  readonly _tag: "BufferFull"
  readonly socket: string
  readonly limit: number
  readonly unit: "messages" | "bytes"
}

/**
 * The message does not fit into the send buffer, even when that is empty.
 *
 * @since 0.1.0
 * @category models
 */
export interface MessageTooLarge {
  readonly _tag: "MessageTooLarge"
  readonly socket: string
  readonly bytes: number
  readonly max: number
}

/**
 * As many connections are open as may be, in total or, where `key` is given, for the key. The peer was closed with 1013
 * or 1008.
 *
 * @since 0.1.0
 * @category models
 */
export interface TooManyConnections {
  readonly _tag: "TooManyConnections"
  readonly socket: string
  readonly max: number
  readonly key: string | undefined
}

/**
 * A connection with this id is open already. The peer was closed with 1008.
 *
 * @since 0.1.0
 * @category models
 */
export interface IdTaken {
  readonly _tag: "IdTaken"
  readonly socket: string
  readonly connection: string
}

/**
 * No open connection has this id.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnknownConnection {
  readonly _tag: "UnknownConnection"
  readonly socket: string
  readonly connection: string
}

/**
 * This side is draining or closed. Nothing was sent; a new peer was closed with 1001.
 *
 * @since 0.1.0
 * @category models
 */
export interface Draining {
  readonly _tag: "Draining"
  readonly socket: string
}

/**
 * The client does not connect any more: the server's answer says that it would be of no use, or the schedule has ended.
 * `cause` is how the last connection ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface GivenUp {
  readonly _tag: "GivenUp"
  readonly socket: string
  readonly why: "Refused" | "Schedule"
  readonly cause: unknown
}

/**
 * Why something failed.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason =
  | ConnectFailed
  | HandshakeFailed
  | ConnectionClosed
  | SlowReader
  | BufferFull
  | MessageTooLarge
  | TooManyConnections
  | IdTaken
  | UnknownConnection
  | Draining
  | GivenUp

/**
 * The one error of this package. Match it by reason.
 *
 * @since 0.1.0
 * @category errors
 */
export class WebSocketError extends Data.TaggedError("WebSocketError")<{
  readonly reason: Reason
  readonly cause?: unknown
}> implements Outcome.Carrier {
  /**
   * Marks the value for `isWebSocketError`.
   *
   * @since 0.1.0
   */
  readonly [TypeId] = TypeId

  constructor(reason: Reason) {
    super("cause" in reason && reason.cause !== undefined ? { reason, cause: reason.cause } : { reason })
  }

  /**
   * What happened, and what to do about it.
   *
   * @since 0.1.0
   */
  override get message(): string {
    return messageOf(this.reason)
  }

  /**
   * How it counts for policies.
   *
   * @since 0.1.0
   */
  get outcome(): Outcome.Outcome {
    return outcomeOf(this.reason)
  }
}

/**
 * Whether a value is a `WebSocketError`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isWebSocketError = (u: unknown): u is WebSocketError => Predicate.hasProperty(u, TypeId)

const outcomeOf = (reason: Reason): Outcome.Outcome => {
  switch (reason._tag) {
    case "ConnectFailed":
      return reason.retryAfter === undefined ? Outcome.failure("no") : Outcome.overload("no", reason.retryAfter)
    case "ConnectionClosed":
      return reason.why === "Drained" || reason.why === "Local"
        ? Outcome.ignored(reason.sent)
        : Outcome.failure(reason.sent)
    case "SlowReader":
    case "GivenUp":
      return Outcome.failure("no")
    case "HandshakeFailed":
    case "BufferFull":
    case "MessageTooLarge":
    case "TooManyConnections":
    case "IdTaken":
    case "UnknownConnection":
    case "Draining":
      return Outcome.ignored("no")
  }
}

const messageOf = (reason: Reason): string => {
  const who = `WebSocket "${reason.socket}"`
  switch (reason._tag) {
    case "ConnectFailed":
      return `${who} could not connect${reason.status === undefined ? "" : `: the server answered ${reason.status}`}.`
    case "HandshakeFailed":
      return `${who} could not turn a request into a connection: it is no handshake, or its peer is gone.`
    case "ConnectionClosed":
      return `${who} lost connection "${reason.connection}": ${WHY[reason.why]} (code ${reason.code}).`
    case "SlowReader":
      return `${who} closed connection "${reason.connection}": it left ${reason.buffered} bytes unread for ` +
        `${Duration.format(reason.waited)}. Send less, or raise send.buffer.`
    case "BufferFull":
      return `${who} refused a message: ${reason.limit} ${reason.unit} wait already. Send less.`
    case "MessageTooLarge":
      return `${who} refused a message of ${reason.bytes} bytes; at most ${reason.max} fit.`
    case "TooManyConnections":
      return `${who} refused a connection: ${reason.max} are open${reason.key === undefined ? "" : " for its key"}.`
    case "IdTaken":
      return `${who} refused a connection: the id "${reason.connection}" is taken.`
    case "UnknownConnection":
      return `${who} has no connection "${reason.connection}".`
    case "Draining":
      return `${who} is draining or closed.`
    case "GivenUp":
      return `${who} does not connect any more: ${
        reason.why === "Refused" ? "the server's answer says that it is of no use" : "its schedule has ended"
      }.`
  }
}

const WHY: Record<CloseWhy, string> = {
  Peer: "the peer ended it",
  Local: "this side closed it",
  Dead: "the peer did not answer",
  Idle: "it was idle for too long",
  SlowReader: "the peer did not read",
  Drained: "this side is going away"
}
