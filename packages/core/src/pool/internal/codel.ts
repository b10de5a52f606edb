/**
 * Controlled delay: under overload a queue that is merely bounded makes everybody wait for as long as it lets them, and
 * serves nobody in time. This tells a burst, which a queue is for, from a standing queue, which only adds delay: once the
 * queue has not been empty for `interval`, none is served any more that has waited for longer than twice the `target`,
 * until it has emptied.
 *
 * The rule is that of the queues of servers (a wait limit on taking out) rather than that of routers: there one short
 * wait says that all is well, and in the queue of a small pool that comes true by chance at twice the capacity.
 *
 * Who is turned away does not cost its key the turn, so the keys of an overloaded pool are served alike. Only a pool
 * whose connections are all in use is overloaded: waiting for a dial or through a pause is no reason to shed.
 *
 * @internal
 */
import type { Deadline, Deadlines } from "../../internal/deadlines.ts"
import type { WaitQueue } from "../../internal/waitQueue.ts"
import type { Wait } from "./borrow.ts"
import type { CoDelSettings } from "./options.ts"

/** What the controller needs of its pool. */
export interface Crowd<A> {
  readonly waiters: WaitQueue<Wait<A>>
  /** Whether every connection that may be open is in use. */
  isFull(): boolean
  /** Ends the wait of `borrow`. */
  giveUp(borrow: Wait<A>, refusal: "Shed"): void
  /** Tells those who were shed; after a hand-over the pool does so by itself. */
  wake(): void
}

export class CoDel<A> implements Deadline {
  deadlineAt = 0
  deadlineArmed = false
  /** Monotonic milliseconds: since when the queue stands, and when a connection was last handed over. */
  private standingSince = 0
  private handedOverAt = -Infinity
  private readonly crowd: Crowd<A>
  private readonly deadlines: Deadlines
  private readonly interval: number
  private readonly target: number

  constructor({ interval, target }: CoDelSettings, crowd: Crowd<A>, deadlines: Deadlines) {
    this.crowd = crowd
    this.deadlines = deadlines
    this.interval = interval
    this.target = target
  }

  /** A borrow has joined the queue. */
  joined(now: number): void {
    if (this.crowd.waiters.size === 1) this.beginAnew(now)
    if (!this.deadlineArmed) this.deadlines.add(this, now + Math.max(this.interval, 2 * this.target))
  }

  /** The time until now does not count as standing. */
  beginAnew(now: number): void {
    this.standingSince = now
  }

  /** A connection is about to be handed over: turns away those whose turn it would be and who waited too long. */
  beforeHandOver(now: number): void {
    const { waiters } = this.crowd
    // It waited for a server to come back, not for its turn.
    if (now - this.handedOverAt > this.interval) this.beginAnew(now)
    this.handedOverAt = now
    if (!this.isStanding(now)) return
    for (let next = waiters.peek(); next !== undefined && this.isLate(next, now); next = waiters.peek()) {
      this.crowd.giveUp(next, "Shed")
    }
  }

  /** While work hangs nothing is handed over, and whoever waits behind it is told nevertheless. */
  onDeadline(): void {
    const { waiters } = this.crowd
    if (waiters.size === 0) return
    const now = this.deadlines.now()
    this.deadlines.add(this, now + this.target / 4)
    if (!this.crowd.isFull() || !this.isStanding(now)) return
    for (const borrow of waiters.leading((waiter) => this.isLate(waiter, now))) this.crowd.giveUp(borrow, "Shed")
    this.crowd.wake()
  }

  private isStanding(now: number): boolean {
    return now - this.standingSince > this.interval
  }

  private isLate(borrow: Wait<A>, now: number): boolean {
    return now - borrow.requestedAt > 2 * this.target
  }
}
