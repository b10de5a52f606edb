/**
 * Names the borrows that are held for too long, each once.
 *
 * One armed deadline serves all: connections in use stand in the order of their borrows, so that only the oldest that
 * has not been named matters.
 *
 * @internal
 */
import type { Deadlines } from "../../internal/deadlines.ts"
import type { EventHub } from "../../internal/eventHub.ts"
import type { PoolEvent } from "../PoolEvent.ts"
import type { Borrow } from "./borrow.ts"
import type { ConnectionList } from "./connection.ts"

/** So that the named ones, which are gone through, are gone through seldom. In milliseconds. */
const LEAST_PAUSE = 500

export class LeakWatch<A> {
  private armed = false
  /** Milliseconds; `Infinity` for never. */
  private readonly after: number
  private readonly used: ConnectionList<A>
  private readonly deadlines: Deadlines
  private readonly events: EventHub<PoolEvent>

  constructor(after: number, used: ConnectionList<A>, deadlines: Deadlines, events: EventHub<PoolEvent>) {
    this.after = after
    this.used = used
    this.deadlines = deadlines
    this.events = events
  }

  /** A borrow was served. */
  served(): void {
    if (!this.armed) this.arm(this.after)
  }

  /** A borrow has ended. */
  ended(borrow: Borrow<A>): void {
    this.events.publish?.({ _tag: "LeakReturned", ...this.describe(borrow, this.deadlines.now()) })
  }

  private arm(millis: number): void {
    this.armed = true
    this.deadlines.after(millis, () => this.look())
  }

  private look(): void {
    this.armed = false
    const now = this.deadlines.now()
    for (let connection = this.used.oldest; connection !== undefined; connection = connection.newer) {
      const borrow = connection.borrow! // what is in `used` is lent
      if (borrow.leaked) continue
      const left = connection.leasedAt + this.after - now
      if (left > 0) return this.arm(Math.max(LEAST_PAUSE, left))
      borrow.leaked = true
      this.events.publish?.({ _tag: "Leaked", ...this.describe(borrow, now) })
    }
  }

  private describe(borrow: Borrow<A>, now: number) {
    return { holder: borrow.holder(now), fiber: borrow.fiber.id }
  }
}
