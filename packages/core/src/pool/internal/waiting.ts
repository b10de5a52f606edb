/**
 * The borrows that wait: their turn, their deadline, what they wait inside of, and the ends of waits in vain.
 *
 * @internal
 */
import type { Deadlines } from "../../internal/deadlines.ts"
import type { EventHub } from "../../internal/eventHub.ts"
import type { Outbox } from "../../internal/outbox.ts"
import { WaitQueue } from "../../internal/waitQueue.ts"
import type { PoolEvent } from "../PoolEvent.ts"
import type { Borrow, Refusal } from "./borrow.ts"
import { CoDel, type Crowd } from "./codel.ts"
import type { Lineage } from "./lineage.ts"
import type { CoDelSettings } from "./options.ts"
import { countOf, type Counts } from "./report.ts"

export class Waiting<A> {
  private readonly queue = new WaitQueue<Borrow<A>>()
  private readonly deadlines: Deadlines
  private readonly lineage: Lineage<Borrow<A>>
  private readonly outbox: Outbox
  private readonly events: EventHub<PoolEvent>
  private readonly counts: Counts
  private readonly codel: CoDel<A> | undefined

  constructor(
    deadlines: Deadlines,
    lineage: Lineage<Borrow<A>>,
    outbox: Outbox,
    events: EventHub<PoolEvent>,
    counts: Counts,
    codel: CoDelSettings | undefined,
    pool: Pick<Crowd<A>, "isFull" | "wake">
  ) {
    this.deadlines = deadlines
    this.lineage = lineage
    this.outbox = outbox
    this.events = events
    this.counts = counts
    const giveUp = (borrow: Borrow<A>) => this.giveUp(borrow, "Shed")
    this.codel = codel && new CoDel(codel, { ...pool, waiters: this.queue, giveUp }, deadlines)
  }

  get size(): number {
    return this.queue.size
  }

  add(borrow: Borrow<A>, deadline: number, now: number): void {
    this.queue.add(borrow)
    this.deadlines.add(borrow, deadline)
    this.codel?.joined(now)
  }

  /** Takes out the borrow whose turn it is to be served. */
  take(now: number): Borrow<A> | undefined {
    this.codel?.beforeHandOver(now)
    return this.next()
  }

  /** A pause is over: what waited through it is not a queue that the pool does not get through. */
  resumed(now: number): void {
    this.codel?.beginAnew(now)
  }

  private next(): Borrow<A> | undefined {
    const borrow = this.queue.take()
    if (borrow !== undefined) this.left(borrow)
    return borrow
  }

  /** Takes out `borrow`; false when it does not wait (any more). */
  remove(borrow: Borrow<A>): boolean {
    const removed = this.queue.remove(borrow)
    if (removed) this.left(borrow)
    return removed
  }

  refuse(borrow: Borrow<A>, refusal: Refusal): void {
    borrow.refusal = refusal
    this.counts[countOf[refusal]]++
    // The events of these two carry what is known when the caller is told.
    if (refusal !== "TimedOut" && refusal !== "Shed") this.events.publish?.({ _tag: refusal })
  }

  /** Ends the wait of `borrow`, unless it has ended already. */
  giveUp(borrow: Borrow<A>, refusal: Refusal): void {
    if (this.remove(borrow)) this.tell(borrow, refusal)
  }

  refuseAll(refusal: Refusal): void {
    for (let borrow = this.next(); borrow !== undefined; borrow = this.next()) this.tell(borrow, refusal)
  }

  /** Ends waits that cannot end otherwise: there are more leases, or fewer connections, than when they began. */
  relieve(max: number): void {
    for (let newest = this.lineage.excess(max); newest !== undefined; newest = this.lineage.excess(max)) {
      this.giveUp(newest, "NestedRefused")
    }
  }

  private tell(borrow: Borrow<A>, refusal: Refusal): void {
    this.refuse(borrow, refusal)
    this.outbox.add(borrow)
  }

  private left(borrow: Borrow<A>): void {
    this.deadlines.cancel(borrow)
    this.lineage.leave(borrow)
  }
}
