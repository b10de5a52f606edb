/**
 * One open socket: a send buffer with an end, the peer's answers to pings, and a close that always comes to an end.
 *
 * @internal
 */
import * as Monotonic from "@breakwater/core/Monotonic"
import * as NodeWS from "@effect/platform-node/NodeWS"
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as CloseCode from "../CloseCode.ts"
import { type CloseWhy, WebSocketError } from "../WebSocketError.ts"
import { type Inbox, type Message, sizeOf } from "./inbox.ts"

/**
 * How a connection ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface CloseInfo {
  /** 1005: the close frame named none. 1006: there was no close frame. */
  readonly code: number
  readonly reason: string
  readonly why: CloseWhy
}

export interface Limits {
  /** Bytes. */
  readonly buffer: number
  /** Milliseconds. */
  readonly timeout: number
  readonly maxWaiting: number
}

/** What the owner wants to hear of. */
export interface Listener {
  readonly onClosed?: ((info: CloseInfo) => void) | undefined
  /** Something that was sent has left the buffer. */
  readonly onRoom?: (() => void) | undefined
  /** A message came or was sent; pings are none. */
  readonly onMessage?: ((direction: "in" | "out") => void) | undefined
  /** One send more, or less, waits for room. */
  readonly onWaiting?: ((change: 1 | -1) => void) | undefined
}

interface Waiter {
  readonly message: Message
  readonly size: number
  readonly resume: (effect: Effect.Effect<void, WebSocketError>) => void
}

/** The peer's time to answer a close frame, in milliseconds. */
export const CLOSE_LIMIT = 5000

export class Channel {
  readonly id: string
  readonly openedAt: number
  /** When the last message came or was sent, in monotonic milliseconds. */
  lastMessageAt: number
  /** Bytes handed to the socket that the network has not taken. */
  buffered = 0
  info: CloseInfo | undefined
  readonly closed: Deferred.Deferred<CloseInfo> = Deferred.makeUnsafe()
  private readonly socketName: string
  private readonly ws: NodeWS.WebSocket
  private readonly limits: Limits
  private readonly inbox: Inbox
  private readonly clock: Clock.Clock
  private readonly listener: Listener
  private readonly waiters = new Set<Waiter>()
  private readonly unanswered = new Set<() => void>()
  private why: CloseWhy = "Peer"

  constructor(options: {
    readonly id: string
    readonly socketName: string
    readonly ws: NodeWS.WebSocket
    readonly limits: Limits
    readonly inbox: Inbox
    readonly clock: Clock.Clock
    readonly listener: Listener
  }) {
    this.id = options.id
    this.socketName = options.socketName
    this.ws = options.ws
    this.limits = options.limits
    this.inbox = options.inbox
    this.clock = options.clock
    this.listener = options.listener
    this.openedAt = this.now()
    this.lastMessageAt = this.openedAt
    this.listen()
  }

  get isOpen(): boolean {
    return this.ws.readyState === NodeWS.WebSocket.OPEN
  }

  get waiting(): number {
    return this.waiters.size
  }

  now(): number {
    return Monotonic.millis(this.clock)
  }

  /** Hands a message to the socket, where the send buffer has room for it. */
  trySend(message: Message, size: number): boolean {
    if (!this.isOpen || this.buffered + size > this.limits.buffer) return false
    this.buffered += size
    this.lastMessageAt = this.now()
    this.listener.onMessage?.("out")
    this.ws.send(message, () => {
      this.buffered -= size
      this.serve()
      this.listener.onRoom?.()
    })
    return true
  }

  /** Waits for room, behind those who wait already. A peer that makes it wait too long is closed. */
  send(message: Message): Effect.Effect<void, WebSocketError> {
    return Effect.suspend(() => {
      const size = sizeOf(message)
      if (!this.isOpen) return Effect.fail(this.error("no"))
      if (size > this.limits.buffer) return Effect.fail(this.tooLarge(size))
      if (this.waiters.size === 0 && this.trySend(message, size)) return Effect.void
      if (this.waiters.size >= this.limits.maxWaiting) return Effect.fail(this.full())
      return this.wait(message, size)
    })
  }

  /** Asks for a sign of life, and calls back once with the first one, or with the end. */
  ping(answered: () => void): void {
    this.unanswered.add(answered)
    if (this.isOpen) this.ws.ping()
    else this.alive()
  }

  /** Whether signs of life would be seen: a peer whose messages nobody takes is not read. */
  get isRead(): boolean {
    return !this.inbox.isPaused
  }

  /** Sends a close frame behind what is buffered and waits for the peer's, until the limit (milliseconds). */
  close(code: number, reason: string, why: CloseWhy, limit = CLOSE_LIMIT): Effect.Effect<CloseInfo> {
    return Effect.suspend(() => {
      this.begin(why)
      this.ws.close(code, reason)
      this.ws.resume()
      this.failWaiters()
      return Effect.timeoutOrElse(Deferred.await(this.closed), {
        duration: Duration.millis(limit),
        orElse: () => this.terminate(why)
      })
    })
  }

  /** Ends the connection without a word. */
  terminate(why: CloseWhy): Effect.Effect<CloseInfo> {
    return Effect.suspend(() => {
      this.destroy(why)
      return Deferred.await(this.closed)
    })
  }

  destroy(why: CloseWhy): void {
    this.begin(why)
    this.ws.terminate()
    this.failWaiters()
  }

  error(sent: "no" | "unknown"): WebSocketError {
    const { code, reason, why } = this.info ?? { code: CloseCode.abnormal, reason: "", why: this.why }
    return new WebSocketError({
      _tag: "ConnectionClosed",
      socket: this.socketName,
      connection: this.id,
      code,
      closeReason: reason,
      why,
      sent
    })
  }

  private begin(why: CloseWhy): void {
    if (this.info === undefined && this.isOpen) this.why = why
  }

  private readonly alive = (): void => {
    if (this.unanswered.size === 0) return
    const answered = [...this.unanswered]
    this.unanswered.clear()
    for (const call of answered) call()
  }

  private listen(): void {
    const { ws } = this
    ws.on("message", (data, isBinary) => {
      this.alive()
      if (!this.isOpen) return
      this.lastMessageAt = this.now()
      this.listener.onMessage?.("in")
      this.inbox.offer(decode(data, isBinary))
    })
    ws.on("pong", this.alive)
    // Not by itself: a peer that asks and does not read would fill the buffer with answers.
    ws.on("ping", (data) => {
      this.alive()
      if (this.isOpen && this.buffered === 0 && ws.bufferedAmount < PONGS) ws.pong(data)
    })
    // What went wrong shows in the code that follows.
    ws.on("error", () => {})
    ws.on("close", (code, reason) => this.onClosed(code, reason.toString()))
    this.inbox.attach({
      pause: () => ws.pause(),
      resume: () => ws.resume()
    })
  }

  private onClosed(code: number, reason: string): void {
    this.info = { code, reason, why: this.why }
    this.alive()
    this.failWaiters()
    this.listener.onClosed?.(this.info)
    Deferred.doneUnsafe(this.closed, Exit.succeed(this.info))
  }

  private wait(message: Message, size: number): Effect.Effect<void, WebSocketError> {
    return Effect.callback<void, WebSocketError>((resume) => {
      const waiter: Waiter = { message, size, resume }
      this.waiters.add(waiter)
      this.listener.onWaiting?.(1)
      return Effect.sync(() => {
        this.leave(waiter)
        this.serve()
      })
    }).pipe(Effect.timeoutOrElse({
      duration: Duration.millis(this.limits.timeout),
      orElse: () => {
        const slow = this.slow()
        this.destroy("SlowReader")
        return Effect.fail(slow)
      }
    }))
  }

  private serve(): void {
    for (const waiter of this.waiters) {
      if (!this.trySend(waiter.message, waiter.size)) return
      this.leave(waiter)
      waiter.resume(Effect.void)
    }
  }

  /** Not before the socket is told of its end: who waits may go on at once, and would end it for a reason of its own. */
  private failWaiters(): void {
    if (this.waiters.size === 0) return
    const failed = Effect.fail(this.error("no"))
    for (const waiter of this.waiters) {
      this.leave(waiter)
      waiter.resume(failed)
    }
  }

  private leave(waiter: Waiter): void {
    if (this.waiters.delete(waiter)) this.listener.onWaiting?.(-1)
  }

  private slow(): WebSocketError {
    return new WebSocketError({
      _tag: "SlowReader",
      socket: this.socketName,
      connection: this.id,
      waited: Duration.millis(this.limits.timeout),
      buffered: this.buffered
    })
  }

  private tooLarge(bytes: number): WebSocketError {
    return new WebSocketError({ _tag: "MessageTooLarge", socket: this.socketName, bytes, max: this.limits.buffer })
  }

  private full(): WebSocketError {
    return new WebSocketError({
      _tag: "BufferFull",
      socket: this.socketName,
      limit: this.limits.maxWaiting,
      unit: "messages"
    })
  }
}

/** Bytes of answers to pings that may wait for a peer. */
const PONGS = 4096

const decode = (data: NodeWS.RawData, isBinary: boolean): Message => {
  const bytes = Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? Buffer.from(data) : data
  return isBinary ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes.toString()
}
