/**
 * What happens on a borrow, a return, the end of a dial, of a check, of a close, on a deadline. Every change is
 * synchronous and whole before anything outside runs; what it decides goes to the outbox. Arrows: this decides,
 * `edges.ts` acts, and neither reaches around the other.
 *
 * The cap is arithmetic: a slot is counted from before a dial starts until after its close has ended, so
 * `idle + used + opening + checking + closing <= max` whatever happens in between.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type { Deadlines } from "../../internal/deadlines.ts"
import type { EventHub } from "../../internal/eventHub.ts"
import type { Outbox, Task } from "../../internal/outbox.ts"
import { WaitQueue } from "../../internal/waitQueue.ts"
import { type Holder, type Phase, PoolError } from "../PoolError.ts"
import type { CloseReason, PoolEvent } from "../PoolEvent.ts"
import type { Borrow, Lender, Refusal } from "./borrow.ts"
import { type Connection, ConnectionList } from "./connection.ts"
import type { Dialer } from "./dialer.ts"
import type { Settings } from "./options.ts"
import type { Stats } from "./stats.ts"

/** What the state asks of the outside. Each call answers later through `opened`, `dialFailed`, `checked`, `closed`. */
export interface Edges<A> {
  dial(): void
  check(connection: Connection<A>): void
  close(connection: Connection<A>): void
  /** Ends the dials and checks that run: the pool has moved on. */
  abort(): void
}

export interface Counts {
  opened: number
  closed: number
  acquired: number
  reused: number
  revoked: number
  timedOut: number
  refused: number
  cancelled: number
  unavailable: number
  refusedClosed: number
}

export class PoolState<A> implements Lender<A> {
  readonly settings: Settings<A>
  readonly counts: Counts = {
    opened: 0,
    closed: 0,
    acquired: 0,
    reused: 0,
    revoked: 0,
    timedOut: 0,
    refused: 0,
    cancelled: 0,
    unavailable: 0,
    refusedClosed: 0
  }
  phase: "open" | "draining" | "closed" = "open"
  private idle = new ConnectionList<A>()
  private readonly used = new ConnectionList<A>()
  private readonly byItem = new Map<A, Connection<A>>()
  private readonly waiters = new WaitQueue<Borrow<A>>()
  private opening = 0
  private checking = 0
  private closing = 0
  generation = 0
  /** Counts failed checks: what was proven before the last one must be checked before it is lent. */
  private suspicion = 0
  /** Connections to have open whether or not anybody waits. */
  private floor = 0
  private readonly watchers = new Set<Watcher>()
  private readonly edges: Edges<A>
  private readonly dialer: Dialer
  private readonly deadlines: Deadlines
  private readonly outbox: Outbox
  readonly events: EventHub<PoolEvent>

  constructor(
    settings: Settings<A>,
    edges: Edges<A>,
    dialer: Dialer,
    deadlines: Deadlines,
    outbox: Outbox,
    events: EventHub<PoolEvent>
  ) {
    this.settings = settings
    this.events = events
    this.edges = edges
    this.dialer = dialer
    this.deadlines = deadlines
    this.outbox = outbox
  }

  // ---- borrowing

  /** Lends an idle connection that needs no check; false when the borrow must go through `request`. */
  tryLend(borrow: Borrow<A>): boolean {
    if (this.phase !== "open" || this.waiters.size > 0) return false
    const now = this.deadlines.now()
    const top = this.newestAlive()
    if (top === undefined || this.needsCheck(top, now)) return false
    this.idle.remove(top)
    borrow.requestedAt = now
    this.lend(top, borrow, now)
    return true
  }

  /** Lends, refuses or queues; the caller is told through `borrow.resume`. */
  request(borrow: Borrow<A>, timeout: number, ambientDeadline: number): void {
    const now = this.deadlines.now()
    const deadline = Math.min(now + timeout, ambientDeadline)
    borrow.requestedAt = now
    this.floor = this.settings.min
    const refusal = this.refusal(deadline, now)
    if (refusal !== undefined) {
      this.refuse(borrow, refusal)
      borrow.run()
    } else if (this.tryLend(borrow)) {
      borrow.run()
    } else if (this.waiters.size >= this.settings.maxWaiting) {
      this.refuse(borrow, "Refused")
      borrow.run()
    } else {
      this.waiters.add(borrow)
      this.deadlines.add(borrow, deadline)
      this.events.publish?.({ _tag: "Waited", waiting: this.waiters.size })
      this.supply()
    }
    this.outbox.flush()
  }

  /** The caller was interrupted. Its dial goes on, and ends as an idle connection. */
  cancel(borrow: Borrow<A>): void {
    if (!this.waiters.remove(borrow)) return
    this.deadlines.cancel(borrow)
    this.counts.cancelled++
    this.events.publish?.({ _tag: "Cancelled" })
  }

  expire(borrow: Borrow<A>): void {
    if (!this.waiters.remove(borrow)) return
    this.refuse(borrow, "TimedOut")
    this.outbox.add(borrow)
    this.outbox.flush()
  }

  /** Takes the connection back, whatever became of it; nothing where none was lent. */
  release(borrow: Borrow<A>): void {
    const connection = borrow.connection
    if (connection === undefined) return
    borrow.connection = undefined
    if (connection.borrow !== borrow) return
    const now = this.deadlines.now()
    this.used.remove(connection)
    connection.borrow = undefined
    this.events.publish?.({ _tag: "Returned", held: Duration.millis(now - borrow.leasedAt) })
    const reason = this.unfit(connection)
    if (reason === undefined) {
      this.prove(connection, now)
      this.place(connection, now)
    } else {
      this.close(connection, reason)
    }
    this.outbox.flush()
  }

  invalidate(item: A, reason: CloseReason): void {
    const connection = this.byItem.get(item)
    if (connection === undefined) return
    if (connection.state !== "idle") {
      connection.doom ??= reason
    } else if (connection.generation === this.generation) {
      this.idle.remove(connection)
      this.close(connection, reason)
      this.outbox.flush()
    }
  }

  // ---- answers of the edges

  opened(connection: Connection<A>, took: number): void {
    this.opening--
    this.counts.opened++
    this.prove(connection, this.deadlines.now())
    this.dialer.succeeded()
    this.byItem.set(connection.item, connection)
    this.events.publish?.({ _tag: "Dialed", took: Duration.millis(took) })
    this.settle(connection)
  }

  dialFailed(cause: unknown, delay: number): void {
    this.opening--
    if (this.phase === "open") {
      this.dialer.failed(cause, delay, this.open(), () => this.wake())
      this.events.publish?.({
        _tag: "DialFailed",
        cause,
        failedDials: this.dialer.failedDials,
        retryIn: Duration.millis(delay)
      })
      if (this.dialer.down && this.settings.failFast) this.refuseAll("Unavailable")
      for (const watcher of this.watchers) watcher.onDialFailed?.(this.dialer.unavailable(this.settings.name))
    }
    this.wake()
  }

  dialAborted(): void {
    this.opening--
    this.wake()
  }

  /** The time for it is over, but it cannot be stopped: it holds its slot until `closed`, and others may dial. */
  dialAbandoned(cause: unknown, delay: number): void {
    this.closing++
    this.dialFailed(cause, delay)
  }

  checked(connection: Connection<A>, passed: boolean): void {
    this.checking--
    if (passed) {
      this.prove(connection, this.deadlines.now())
    } else {
      connection.doom ??= "CheckFailed"
      this.suspicion++
    }
    this.settle(connection)
  }

  closed(): void {
    this.closing--
    this.wake()
  }

  // ---- the pool as a whole

  /** Tells `watcher` of every turn, and has the connections it wants opened, until the returned function is called. */
  watch(watcher: Watcher): () => void {
    this.watchers.add(watcher)
    return () => void this.watchers.delete(watcher)
  }

  now(): number {
    return this.deadlines.now()
  }

  after(millis: number, fire: () => void): () => void {
    return this.deadlines.after(millis, fire)
  }

  /** O(1): the swept connections close one by one, and none of them is lent again. */
  clear(interrupt: boolean): void {
    this.generation++
    this.edges.abort()
    this.sweep("Cleared")
    if (interrupt) this.cut("Cleared")
    this.wake()
  }

  /** Refuses whoever waits or comes, closes what is idle; what is lent may finish. */
  drain(): void {
    if (this.phase !== "open") return
    this.phase = "draining"
    this.generation++
    this.events.publish?.({ _tag: "Draining" })
    this.dialer.close()
    this.refuseAll("ClosedRefused")
    this.sweep("Drained")
    this.edges.abort()
    this.wake()
  }

  /** Closes connections under the work that uses them, at the next `wake`. */
  cut(why: "Cleared" | "Drained"): ReadonlyArray<Holder> {
    const cut: Array<Holder> = []
    for (let connection = this.used.oldest; connection !== undefined;) {
      const next = connection.newer
      if (connection.generation !== this.generation) cut.push(this.revoke(connection, why))
      connection = next
    }
    return cut
  }

  /** The end, although connections may still be closing: their time is over too. */
  end(cut: number): void {
    if (this.phase === "closed") return
    this.phase = "closed"
    this.events.publish?.({ _tag: "Drained", cut })
    this.deadlines.close()
  }

  stats(): Stats {
    const { keep, max, min } = this.settings
    return {
      idle: this.idle.size,
      used: this.used.size,
      opening: this.opening,
      checking: this.checking,
      closing: this.closing,
      waiting: this.waiters.size,
      min,
      max,
      keep,
      ...this.counts
    }
  }

  error(borrow: Borrow<A>, refusal: Refusal): PoolError {
    const pool = this.settings.name
    switch (refusal) {
      case "TimedOut": {
        const error = this.acquireTimeout(borrow.requestedAt)
        this.events.publish?.({ _tag: "TimedOut", error })
        return error
      }
      case "Refused":
        return new PoolError({ reason: { _tag: "QueueFull", pool, maxWaiting: this.settings.maxWaiting } })
      case "Unavailable":
        return this.dialer.unavailable(pool)
      case "ClosedRefused":
        return this.closedError()
    }
  }

  closedError(): PoolError {
    return new PoolError({ reason: { _tag: "Closed", pool: this.settings.name } })
  }

  // ---- decisions

  private refusal(deadline: number, now: number): Refusal | undefined {
    if (this.phase !== "open") return "ClosedRefused"
    if (this.dialer.down && this.settings.failFast) return "Unavailable"
    return deadline <= now ? "TimedOut" : undefined
  }

  private newestAlive(): Connection<A> | undefined {
    let top = this.idle.newest
    if (top === undefined || this.isAlive(top)) return top
    for (; top !== undefined && !this.isAlive(top); top = this.idle.newest) {
      this.idle.remove(top)
      this.close(top, "Broken")
    }
    this.outbox.flush()
    return this.newestAlive() // whoever ran meanwhile may have left another dead one on top
  }

  private lend(connection: Connection<A>, borrow: Borrow<A>, now: number): void {
    connection.state = "used"
    connection.borrow = borrow
    borrow.connection = connection
    borrow.leasedAt = now
    this.used.push(connection)
    this.counts.acquired++
    if (connection.lent) this.counts.reused++
    this.events.publish?.({
      _tag: "Acquired",
      waited: Duration.millis(now - borrow.requestedAt),
      reused: connection.lent
    })
    connection.lent = true
  }

  /** Gives a sound connection to whose turn it is, or puts it aside. */
  private place(connection: Connection<A>, now: number): void {
    const waiter = this.waiters.take()
    if (waiter !== undefined) {
      this.deadlines.cancel(waiter)
      this.lend(connection, waiter, now)
      this.outbox.add(waiter)
    } else if (this.open() >= this.settings.keep) {
      this.close(connection, "Overflow")
    } else {
      connection.state = "idle"
      this.idle.push(connection)
    }
  }

  /** What becomes of a connection that was dialled or checked. */
  private settle(connection: Connection<A>): void {
    const reason = this.unfit(connection)
    if (reason === undefined) this.place(connection, this.deadlines.now())
    else this.close(connection, reason)
    this.wake()
  }

  private unfit(connection: Connection<A>): CloseReason | undefined {
    if (connection.doom !== undefined) return connection.doom
    if (this.phase !== "open") return "Drained"
    if (connection.generation !== this.generation) return "Cleared"
    return this.isAlive(connection) ? undefined : "Broken"
  }

  private isAlive(connection: Connection<A>): boolean {
    try {
      return this.settings.isAlive(connection.item)
    } catch {
      return false
    }
  }

  private needsCheck(connection: Connection<A>, now: number): boolean {
    return now - connection.provenAt > this.settings.skipWithin || this.isSuspect(connection)
  }

  private isSuspect(connection: Connection<A>): boolean {
    return this.settings.test !== undefined && connection.provenIn < this.suspicion
  }

  private prove(connection: Connection<A>, now: number): void {
    connection.provenAt = now
    connection.provenIn = this.suspicion
  }

  private close(connection: Connection<A>, reason: CloseReason): void {
    this.closing++
    this.counts.closed++
    this.startClose(connection, reason)
  }

  private startClose(connection: Connection<A>, reason: CloseReason): void {
    connection.state = "closing"
    this.byItem.delete(connection.item)
    this.events.publish?.({ _tag: "Closed", reason })
    this.outbox.add({ run: () => this.edges.close(connection) })
  }

  /** Closes everything that is idle: counted at once, closed one a task. */
  private sweep(reason: CloseReason): void {
    const swept = this.idle
    this.idle = new ConnectionList()
    this.closing += swept.size
    this.counts.closed += swept.size
    const task: Task = {
      run: () => {
        const connection = swept.newest
        if (connection === undefined) return
        swept.remove(connection)
        this.startClose(connection, reason)
        this.outbox.add(task)
      }
    }
    this.outbox.add(task)
  }

  private revoke(connection: Connection<A>, why: "Cleared" | "Drained"): Holder {
    const borrow = connection.borrow! // what is in `used` is lent
    const holder = borrow.holder(this.deadlines.now())
    this.used.remove(connection)
    connection.borrow = undefined
    borrow.revoked = why
    this.counts.revoked++
    this.events.publish?.({ _tag: "Revoked", why, holder })
    this.close(connection, why)
    return holder
  }

  private refuse(borrow: Borrow<A>, refusal: Refusal): void {
    borrow.refusal = refusal
    if (refusal === "TimedOut") {
      this.counts.timedOut++
    } else {
      this.counts[refusalCount[refusal]]++
      this.events.publish?.({ _tag: refusal })
    }
  }

  private refuseAll(refusal: Refusal): void {
    for (let waiter = this.waiters.take(); waiter !== undefined; waiter = this.waiters.take()) {
      this.deadlines.cancel(waiter)
      this.refuse(waiter, refusal)
      this.outbox.add(waiter)
    }
  }

  /** Opens what `start` and `size.min` ask for. */
  start(): void {
    this.floor = this.settings.start === "lazy" ? 0 : this.settings.min
    this.wake()
  }

  /** After a change that may have made room or need: check, dial, tell the watchers, act. */
  wake(): void {
    this.supply()
    for (const watcher of this.watchers) watcher.onTurn(this.open(), this.total())
    this.outbox.flush()
  }

  private supply(): void {
    if (this.phase !== "open") return
    this.checkIdle()
    this.dial()
  }

  /** One check a waiter; suspects all at once, so that many dead ones cost the time of one. */
  private checkIdle(): void {
    for (let top = this.idle.newest; top !== undefined; top = this.idle.newest) {
      if (!this.isSuspect(top) && this.checking >= this.waiters.size) return
      this.idle.remove(top)
      if (this.isAlive(top)) {
        top.state = "checking"
        this.checking++
        this.outbox.add({ run: () => this.edges.check(top) })
      } else {
        this.close(top, "Broken")
      }
    }
  }

  private dial(): void {
    const open = this.open()
    let want = Math.max(this.waiters.size - this.checking, this.floor - open, this.dialer.down ? 1 : 0)
    for (const watcher of this.watchers) want = Math.max(want, watcher.want - open)
    while (this.opening < want && this.total() < this.settings.max && this.dialer.admits(this.opening)) {
      this.opening++
      this.outbox.add(this.dialTask)
    }
  }

  private readonly dialTask: Task = { run: () => this.edges.dial() }

  private open(): number {
    return this.idle.size + this.used.size + this.checking
  }

  total(): number {
    return this.open() + this.opening + this.closing
  }

  // ---- errors

  acquireTimeout(since: number): PoolError {
    const now = this.deadlines.now()
    return new PoolError({
      reason: {
        _tag: "AcquireTimeout",
        pool: this.settings.name,
        phase: this.waitedFor(),
        waited: Duration.millis(now - since),
        stats: this.stats(),
        oldestHolder: this.used.oldest?.borrow?.holder(now),
        connectError: this.dialer.lastError
      }
    })
  }

  private waitedFor(): Phase {
    if (this.used.size >= this.settings.max) return "queue"
    if (this.dialer.isBusy(this.opening)) return "dial"
    return this.checking > 0 ? "check" : "queue"
  }
}

/** Something that waits for connections to open, or for all of them to be gone. */
export interface Watcher {
  /** Connections to have open while it watches. */
  readonly want: number
  onTurn(open: number, total: number): void
  onDialFailed?(error: PoolError): void
}

const refusalCount = {
  Refused: "refused",
  Unavailable: "unavailable",
  ClosedRefused: "refusedClosed"
} as const
