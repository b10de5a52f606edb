/**
 * Messages that wait for a connection, or for room in it: so many of them, and so many bytes.
 *
 * @internal
 */
import { type Message, sizeOf } from "./inbox.ts"

export class Outbox {
  dropped = 0
  private items: Array<Message> = []
  /** Where the first one is: taking from the front of an array costs the length of it. */
  private head = 0
  private bytes = 0
  private readonly maxMessages: number
  private readonly maxBytes: number
  private readonly dropOldest: boolean

  constructor(limits: {
    readonly outboxMessages: number
    readonly outboxBytes: number
    readonly dropOldest: boolean
  }) {
    this.maxMessages = limits.outboxMessages
    this.maxBytes = limits.outboxBytes
    this.dropOldest = limits.dropOldest
  }

  get size(): number {
    return this.items.length - this.head
  }

  get first(): Message | undefined {
    return this.items[this.head]
  }

  /** What there is too much of, when there is no room. The message is not larger than all of the room. */
  offer(message: Message): "messages" | "bytes" | undefined {
    const size = sizeOf(message)
    for (let full = this.lacking(size); full !== undefined; full = this.lacking(size)) {
      if (!this.dropOldest) return full
      this.shift()
      this.dropped++
    }
    this.items.push(message)
    this.bytes += size
    return undefined
  }

  shift(): void {
    const first = this.items[this.head]
    if (first === undefined) return
    this.bytes -= sizeOf(first)
    this.head++
    if (this.head * 2 < this.items.length) return
    this.items = this.items.slice(this.head)
    this.head = 0
  }

  private lacking(size: number): "messages" | "bytes" | undefined {
    if (this.size >= this.maxMessages) return "messages"
    return this.bytes + size > this.maxBytes ? "bytes" : undefined
  }
}
