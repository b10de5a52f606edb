/**
 * Leases: how they begin, and how they end, by return and by force. A connection is taken from who holds it by closing it
 * under the work, so that the driver fails; the fiber of the caller is never interrupted.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type { Deadline, Deadlines } from "../../internal/deadlines.ts"
import type { EventHub } from "../../internal/eventHub.ts"
import type { Histogram } from "../../internal/histogram.ts"
import type { Holder, Revoked } from "../PoolError.ts"
import type { PoolEvent } from "../PoolEvent.ts"
import type { Bag } from "./bag.ts"
import type { Borrow, Wait } from "./borrow.ts"
import type { Connection } from "./connection.ts"
import { LeakWatch } from "./leakWatch.ts"
import type { Lineage } from "./lineage.ts"
import type { Settings } from "./options.ts"
import type { Counts } from "./stats.ts"

/** Of all leases: how long they were waited for, how long they lasted, and for how much of that nothing ran. */
interface Times {
  readonly wait: Histogram
  readonly use: Histogram
  readonly heldIdle: Histogram | undefined
}

export class Leases<A> implements Deadline {
  /** When the oldest lease will have been held for too long. */
  deadlineAt = 0
  deadlineArmed = false
  private readonly settings: Settings<A>
  private readonly bag: Bag<A>
  private readonly lineage: Lineage<Wait<A>>
  private readonly counts: Counts
  private readonly times: Times
  private readonly leaks: LeakWatch<A>
  private readonly deadlines: Deadlines
  private readonly events: EventHub<PoolEvent>
  private readonly wake: () => void

  constructor(
    settings: Settings<A>,
    bag: Bag<A>,
    lineage: Lineage<Wait<A>>,
    counts: Counts,
    times: Times,
    deadlines: Deadlines,
    events: EventHub<PoolEvent>,
    wake: () => void
  ) {
    this.settings = settings
    this.bag = bag
    this.lineage = lineage
    this.counts = counts
    this.times = times
    this.leaks = new LeakWatch(settings.leakAfter, bag.used, deadlines, events)
    this.deadlines = deadlines
    this.events = events
    this.wake = wake
  }

  begin(connection: Connection<A>, borrow: Borrow<A>, now: number, waited: number): void {
    const { lent: reused } = connection
    connection.borrow = borrow
    borrow.connection = connection
    borrow.leases = 1
    connection.leasedAt = now
    connection.lent = true
    this.bag.putUsed(connection)
    this.leaks.served()
    this.times.wait.record(waited)
    if (this.settings.maxHold !== Infinity) this.watchHold(now)
    this.counts.acquired++
    if (reused) this.counts.reused++
    this.events.publishEach?.({ _tag: "Acquired", waited: Duration.millis(waited), reused })
  }

  /** The borrower has no use for its connection any more, if it still has one. */
  leave(borrow: Borrow<A>): void {
    if (borrow.leaked) this.leaks.ended(borrow)
    borrow.connection = borrow.context = undefined
  }

  /** Where the lease has not been ended before, by force. */
  returned(borrow: Borrow<A>, connection: Connection<A>, now: number): void {
    const held = now - connection.leasedAt
    this.end(borrow, connection)
    this.times.use.record(held)
    const idle = this.settings.heldIdle?.(connection.item, connection.leasedAt, now)
    if (idle !== undefined) this.times.heldIdle?.record(idle)
    this.events.publishEach?.({ _tag: "Returned", held: Duration.millis(held) })
    connection.usedAt = now
  }

  private end(borrow: Borrow<A>, connection: Connection<A>): void {
    this.bag.used.remove(connection)
    connection.borrow = undefined
    this.lineage.ended(borrow)
  }

  /** Those that are not of `generation`; they close at the next `wake`. */
  cutOthers(generation: number, why: Revoked["why"]): ReadonlyArray<Holder> {
    const now = this.deadlines.now()
    const cut: Array<Holder> = []
    for (let connection = this.bag.used.oldest; connection !== undefined;) {
      const next = connection.newer
      if (connection.generation !== generation) cut.push(this.revoke(connection, why, now))
      connection = next
    }
    return cut
  }

  /** Leases are listed in the order of their borrows: one deadline, for the oldest, does for all. */
  private watchHold(now: number): void {
    if (!this.deadlineArmed) this.deadlines.add(this, now + this.settings.maxHold)
  }

  onDeadline(): void {
    const now = this.deadlines.now()
    for (let oldest = this.bag.used.oldest; oldest !== undefined; oldest = this.bag.used.oldest) {
      const until = oldest.leasedAt + this.settings.maxHold
      if (until > now) {
        this.deadlines.add(this, until)
        break
      }
      this.revoke(oldest, "HoldExceeded", now)
    }
    this.wake()
  }

  private revoke(connection: Connection<A>, why: Revoked["why"], now: number): Holder {
    const borrow = connection.borrow! // what is in `used` is lent
    const holder = borrow.holder(now)
    this.end(borrow, connection)
    borrow.revoked = why
    this.counts.revoked++
    this.events.publish?.({ _tag: "Revoked", why, holder })
    this.bag.close(connection, why)
    return holder
  }
}
