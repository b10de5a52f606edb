/**
 * What arrived and was not taken yet. When it is full the socket is read no further, so that the peer's sends back up
 * at the peer.
 *
 * @internal
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { WebSocketError } from "../WebSocketError.ts"

/**
 * Text is a string, binary is bytes.
 *
 * @since 0.1.0
 * @category models
 */
export type Message = string | Uint8Array

export const sizeOf = (message: Message): number =>
  typeof message === "string" ? Buffer.byteLength(message) : message.byteLength

/** What an empty message takes, roughly: a flood of them must fill the inbox, too. */
const OVERHEAD = 64

/** What is read from. */
export interface Source {
  readonly pause: () => void
  readonly resume: () => void
}

export class Inbox {
  /** Unbounded, since a socket that is paused still hands over what it has read already: 64 KiB, or one message. */
  private readonly queue: Queue.Queue<Message, WebSocketError | Cause.Done>
  private readonly limit: number
  private source: Source | undefined
  private bytes = 0
  private paused = false

  private constructor(queue: Queue.Queue<Message, WebSocketError | Cause.Done>, limit: number) {
    this.queue = queue
    this.limit = limit
  }

  static make(limit: number): Effect.Effect<Inbox> {
    return Effect.map(Queue.unbounded<Message, WebSocketError | Cause.Done>(), (queue) => new Inbox(queue, limit))
  }

  get isPaused(): boolean {
    return this.paused
  }

  /** Reads from another socket from now on. */
  attach(source: Source): void {
    this.source = source
    this.paused = false
    source.resume()
    this.throttle()
  }

  offer(message: Message): void {
    if (!Queue.offerUnsafe(this.queue, message)) return
    this.bytes += sizeOf(message) + OVERHEAD
    this.throttle()
  }

  end(): void {
    Queue.endUnsafe(this.queue)
  }

  fail(error: WebSocketError): void {
    Effect.runSync(Queue.fail(this.queue, error))
  }

  get stream(): Stream.Stream<Message, WebSocketError> {
    return Stream.fromPull(
      Effect.succeed(Effect.tap(Queue.takeAll(this.queue), (taken) =>
        Effect.sync(() => {
          for (const message of taken) this.bytes -= sizeOf(message) + OVERHEAD
          this.throttle()
        })))
    )
  }

  private throttle(): void {
    const full = this.bytes >= this.limit
    if (full === this.paused) return
    this.paused = full
    if (full) this.source?.pause()
    else this.source?.resume()
  }
}
