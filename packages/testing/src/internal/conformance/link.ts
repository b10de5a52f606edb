/**
 * How a connection's two ends hear of each other: without a network, or over a socket on the loopback.
 *
 * @internal
 */
import type { Answer, Session } from "./session.ts"
import type { VirtualTime } from "./virtualTime.ts"

export interface Link {
  /** As far as the client knows. */
  readonly isOpen: boolean
  send(command: string): Promise<string>
  /** The client closes; done when the server has seen it. */
  close(): Promise<void>
  /** The server ends it, and the client is told. */
  killed(how: "reset" | "close"): void
  /** Called once, when the client hears that the server has ended it. */
  onLost(listener: () => void): void
  /** Called once, when neither end has it any more. */
  onEnd(listener: () => void): void
}

export class Lost extends Error {}

export class MemoryLink implements Link {
  isOpen = true
  private readonly waiting = new Set<(error: Error) => void>()
  private ended: () => void = () => {}
  private lost: () => void = () => {}
  private readonly session: Session
  private readonly time: VirtualTime

  constructor(session: Session, time: VirtualTime) {
    this.session = session
    this.time = time
  }

  send(command: string): Promise<string> {
    if (!this.isOpen) return Promise.reject(new Lost("the connection is closed"))
    const answer: Answer | undefined = this.session.answer(command)
    if (answer?.after === 0) return Promise.resolve(answer.text)
    return new Promise((resolve, reject) => {
      this.waiting.add(reject)
      if (answer === undefined) return
      this.time.after(answer.after, () => {
        if (this.waiting.delete(reject)) resolve(answer.text)
      })
    })
  }

  close(): Promise<void> {
    this.end()
    return Promise.resolve()
  }

  killed(how: "reset" | "close"): void {
    if (!this.isOpen) return
    this.end(how)
    this.lost()
  }

  onLost(listener: () => void): void {
    this.lost = listener
  }

  onEnd(listener: () => void): void {
    this.ended = listener
  }

  private end(how = "close"): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.ended()
    for (const reject of this.waiting) reject(new Lost(`the connection ended with a ${how}`))
    this.waiting.clear()
  }
}
