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
import type { Refusal, Wait } from "./borrow.ts"
import { CoDel, type Crowd } from "./codel.ts"
import type { Lineage } from "./lineage.ts"
import type { CoDelSettings } from "./options.ts"
import { countOf } from "./report.ts"
import type { Counts } from "./stats.ts"

export class Waiting<A> {
  private readonly queue = new WaitQueue<Wait<A>>()
  private readonly deadlines: Deadlines
  private readonly lineage: Lineage<Wait<A>>
  private readonly outbox: Outbox
  private readonly events: EventHub<PoolEvent>
  private readonly counts: Counts
  private readonly codel: CoDel<A> | undefined

  constructor(
    deadlines: Deadlines,
    lineage: Lineage<Wait<A>>,
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
    const giveUp = (wait: Wait<A>) => this.giveUp(wait, "Shed")
    this.codel = codel && new CoDel(codel, { ...pool, waiters: this.queue, giveUp }, deadlines)
  }

  get size(): number {
    return this.queue.size
  }

  add(wait: Wait<A>, deadline: number, now: number): void {
    this.queue.add(wait)
    this.deadlines.add(wait, deadline)
    this.codel?.joined(now)
  }

  /** Takes out the wait whose turn it is to be served. */
  take(now: number): Wait<A> | undefined {
    this.codel?.beforeHandOver(now)
    return this.next()
  }

  /** A pause is over: what waited through it is not a queue that the pool does not get through. */
  resumed(now: number): void {
    this.codel?.beginAnew(now)
  }

  private next(): Wait<A> | undefined {
    const wait = this.queue.take()
    if (wait !== undefined) this.left(wait)
    return wait
  }

  /** Takes out `wait`; false when it does not wait (any more). */
  remove(wait: Wait<A>): boolean {
    const removed = this.queue.remove(wait)
    if (removed) this.left(wait)
    return removed
  }

  refuse(wait: Wait<A>, refusal: Refusal): void {
    wait.refusal = refusal
    this.counts[countOf[refusal]]++
    // The events of these two carry what is known when the caller is told.
    if (refusal !== "TimedOut" && refusal !== "Shed") this.events.publishEach?.({ _tag: refusal })
  }

  /** Ends the wait of `wait`, unless it has ended already. */
  giveUp(wait: Wait<A>, refusal: Refusal): void {
    if (this.remove(wait)) this.tell(wait, refusal)
  }

  refuseAll(refusal: Refusal): void {
    for (let wait = this.next(); wait !== undefined; wait = this.next()) this.tell(wait, refusal)
  }

  /** Ends waits that cannot end otherwise: there are more leases, or fewer connections, than when they began. */
  relieve(max: number): void {
    for (let newest = this.lineage.excess(max); newest !== undefined; newest = this.lineage.excess(max)) {
      this.giveUp(newest, "NestedRefused")
    }
  }

  private tell(wait: Wait<A>, refusal: Refusal): void {
    this.refuse(wait, refusal)
    this.outbox.add(wait)
  }

  private left(wait: Wait<A>): void {
    this.deadlines.cancel(wait)
    this.lineage.leave(wait)
  }
}
