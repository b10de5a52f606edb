/**
 * The answers to one request. The program gets one of them; the others, of attempts that failed or that another one was
 * ahead of, must not keep their connections.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { Readable } from "node:stream"
import type { Incoming } from "./exchange.ts"

/** A body that nobody wants: a small one is read to its end, so that its connection can be used again. */
const WORTH_READING = 64 * 1024

export const discard = (body: Readable): void => {
  if (body.destroyed) return
  let bytes = 0
  body.on("data", (chunk: Buffer) => {
    bytes += chunk.byteLength
    if (bytes > WORTH_READING) body.destroy()
  })
}

export class Answers {
  private readonly open = new Set<Incoming>()
  private failed: Incoming | undefined
  /** Attempts that have no connection yet. */
  private waiting = 0
  private over = false

  came(incoming: Incoming): Incoming {
    if (this.over) discard(incoming.body)
    else this.open.add(incoming)
    return incoming
  }

  /** Its status counts as a failure. It is the program's all the same where no attempt is left. */
  fails(incoming: Incoming): void {
    if (this.over) return
    this.discardFailed()
    this.failed = incoming
    if (this.waiting > 0) this.discardFailed()
  }

  /** An attempt waits for its connection, which an answer that failed must not keep from it. */
  awaiting<A, E, R>(borrow: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        this.discardFailed()
        this.waiting++
      }),
      () => borrow,
      () => Effect.sync(() => void this.waiting--)
    )
  }

  private discardFailed(): void {
    const { failed } = this
    if (failed === undefined) return
    this.failed = undefined
    this.open.delete(failed)
    discard(failed.body)
  }

  /** The one that counts; what else came, or is still to come, is discarded. Without an argument the last that failed. */
  take(incoming: Incoming): Incoming
  take(): Incoming | undefined
  take(incoming = this.failed): Incoming | undefined {
    this.over = true
    for (const other of this.open) if (other !== incoming) discard(other.body)
    this.open.clear()
    if (incoming !== undefined) this.open.add(incoming)
    return incoming
  }

  /** Nobody reads the one that counts. */
  discardTaken(): void {
    for (const { body } of this.open) discard(body)
    this.open.clear()
  }

  /** Gives everything up at once. */
  destroy(): void {
    this.over = true
    for (const { body } of this.open) body.destroy()
  }
}
