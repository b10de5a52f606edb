/**
 * What happens on a borrow, a return, the end of a dial, of a check, of a close, on a deadline. Every change is
 * synchronous and whole before anything outside runs; what it decides goes to the outbox. This decides, `edges.ts`
 * acts, `bag.ts` knows where the connections stand.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Scope from "effect/Scope"
import { AmbientDeadline } from "../../internal/ambientDeadline.ts"
import type { Deadlines } from "../../internal/deadlines.ts"
import type { EventHub } from "../../internal/eventHub.ts"
import type { Frames } from "../../internal/frame.ts"
import { bestFrames } from "../../internal/frameTrial.ts"
import { Histogram } from "../../internal/histogram.ts"
import type { Outbox } from "../../internal/outbox.ts"
import type { Holder, PoolError } from "../PoolError.ts"
import type { CloseReason, PoolEvent } from "../PoolEvent.ts"
import { Bag } from "./bag.ts"
import { type Borrow, type Lender, type Refusal, Wait } from "./borrow.ts"
import { Checks } from "./checks.ts"
import { ClockWatch } from "./clockWatch.ts"
import type { Connection } from "./connection.ts"
import type { Detail, LastError } from "./detail.ts"
import type { Dialer } from "./dialer.ts"
import { Keeper } from "./keeper.ts"
import { Leases } from "./leases.ts"
import { Lineage } from "./lineage.ts"
import type { Settings, Size } from "./options.ts"
import { Report } from "./report.ts"
import { type Stats, zeroCounts } from "./stats.ts"
import { Supply } from "./supply.ts"
import { Waiting } from "./waiting.ts"

/** What the state asks of the outside. Each call answers later through `opened`, `dialFailed`, `checked`, `closed`. */
export interface Edges<A> {
  dial(): void
  check(connection: Connection<A>): void
  reset(connection: Connection<A>): void
  close(connection: Connection<A>): void
  /** Ends the dials and checks that run: the pool has moved on. */
  abort(): void
}

export class PoolState<A> implements Lender<A> {
  readonly settings: Settings<A>
  readonly frames: Frames = bestFrames()
  phase: "open" | "draining" | "closed" = "open"
  /** The borrows that a drain has cut: one list for all who wait for it. */
  cutByDrain: ReadonlyArray<Holder> = []
  readonly report: Report<A>
  readonly bag: Bag<A>
  readonly lineage: Lineage<Wait<A>>
  private readonly waiters: Waiting<A>
  /** How long borrows waited, how long they held their connections, for how much of it in vain, how long dials took. */
  readonly times: Record<"wait" | "use" | "create", Histogram> & { readonly heldIdle: Histogram | undefined }
  /** The last dial that failed, also where others have succeeded since. */
  lastError: LastError | undefined
  generation = 0
  /** Why those of earlier generations are closed. */
  private staleAs: CloseReason = "Cleared"
  private readonly checks: Checks<A>
  private readonly keeper: Keeper<A>
  private readonly leases: Leases<A>
  private readonly clockWatch: ClockWatch
  readonly supply: Supply<A>
  private readonly edges: Edges<A>
  private readonly dialer: Dialer
  private readonly deadlines: Deadlines
  private readonly outbox: Outbox
  private readonly clock: Clock.Clock
  readonly events: EventHub<PoolEvent>

  constructor(
    settings: Settings<A>,
    edges: Edges<A>,
    dialer: Dialer,
    deadlines: Deadlines,
    outbox: Outbox,
    events: EventHub<PoolEvent>,
    clock: Clock.Clock,
    random: number
  ) {
    this.settings = settings
    this.times = {
      wait: new Histogram(),
      use: new Histogram(),
      create: new Histogram(),
      heldIdle: settings.heldIdle && new Histogram()
    }
    this.events = events
    this.clock = clock
    this.edges = edges
    this.bag = new Bag(
      (connection) => {
        deadlines.cancel(connection)
        edges.close(connection)
      },
      outbox,
      events
    )
    this.checks = new Checks(settings, this.bag, outbox, edges)
    // Those that were swept wait for their close as they are.
    const isIdle = (one: Connection<A>) => one.state === "idle" && one.generation === this.generation
    this.keeper = new Keeper(settings, this.bag, this.checks, deadlines, isIdle, () => this.wake(), random)
    this.clockWatch = new ClockWatch(clock, deadlines, () => this.bag.open > 0, (...jump) => this.jumped(...jump))
    this.lineage = new Lineage(settings.nested)
    const counts = zeroCounts()
    const crowd = { isFull: () => this.bag.used.size >= settings.max, wake: () => this.wake() }
    this.waiters = new Waiting(deadlines, this.lineage, outbox, events, counts, settings.codel, crowd)
    this.report = new Report(settings, this.bag, this.waiters, dialer, deadlines, counts)
    this.leases = new Leases(settings, this.bag, this.lineage, counts, this.times, deadlines, events, () => this.wake())
    this.supply = new Supply(settings, this.bag, dialer, outbox, () => this.startDial())
    this.dialer = dialer
    this.deadlines = deadlines
    this.outbox = outbox
  }

  // ---- borrowing

  /** Lends, refuses or queues. */
  request(borrow: Borrow<A>): void {
    const now = this.deadlines.now()
    if (this.tryLend(borrow, now)) return
    const ambient = borrow.context === undefined ? Infinity : Context.get(borrow.context, AmbientDeadline)
    const deadline = Math.min(now + borrow.request.timeout, ambient)
    const wait = new Wait(borrow, now)
    borrow.wait = wait
    const refusal = this.refusal(wait, deadline, now)
    this.supply.filling = true
    if (refusal !== undefined) {
      this.waiters.refuse(wait, refusal)
      wait.run()
    } else {
      this.waiters.add(wait, deadline, now)
      this.events.publishEach?.({ _tag: "Waited", waiting: this.waiters.size })
      this.supplyWaiters()
    }
    this.outbox.flush()
  }

  /** Lends an idle connection that needs no check. */
  private tryLend(borrow: Borrow<A>, now: number): boolean {
    if (this.phase !== "open" || this.waiters.size > 0) return false
    if (this.settings.test !== undefined) this.clockWatch.look(now)
    const top = this.newestAlive()
    if (top === undefined || this.checks.needed(top, now)) return false
    this.bag.idle.remove(top)
    this.leases.begin(top, borrow, now, 0)
    return true
  }

  /** What `get` lent, until its scope closes. */
  keep(borrow: Borrow<A>, scope: Scope.Scope): void {
    this.lineage.keep(borrow, scope)
    this.waiters.relieve(this.settings.max)
    this.outbox.flush()
  }

  /** The caller was interrupted. Its dial goes on, and ends as an idle connection. */
  private cancel(borrow: Borrow<A>): void {
    if (borrow.wait === undefined || !this.waiters.remove(borrow.wait)) return
    this.report.counts.cancelled++
    this.events.publishEach?.({ _tag: "Cancelled" })
  }

  expire(wait: Wait<A>): void {
    this.waiters.giveUp(wait, "TimedOut")
    this.outbox.flush()
  }

  /** Takes the connection back, whatever became of it. */
  release(borrow: Borrow<A>): void {
    const connection = borrow.connection
    if (connection === undefined) return this.cancel(borrow)
    this.leases.leave(borrow)
    const now = this.deadlines.now()
    const reason = this.unfit(connection) ?? (this.keeper.isOver(connection, now) ? "MaxLifetime" : undefined)
    if (connection.borrow !== borrow) return // it was cut, before or just now
    this.leases.returned(borrow, connection, now)
    if (reason !== undefined) {
      this.bag.close(connection, reason)
      this.wake()
    } else {
      if (this.settings.onReturn !== undefined) this.checks.reset(connection)
      else this.takeBack(connection, now)
      this.outbox.flush()
    }
  }

  private takeBack(connection: Connection<A>, now: number): void {
    if (this.checks.returned(connection, now)) this.place(connection, now)
    else this.checks.begin(connection)
  }

  invalidate(item: A, reason: CloseReason): void {
    const found = this.bag.find(item)
    // One server stands behind them all. Those who find out later tell of the same change.
    if (reason === "WrongRole" && found.some(({ generation }) => generation === this.generation)) {
      this.dialer.misled(() => this.wake())
      this.renew(reason)
    }
    for (const connection of found) {
      if (connection.state !== "idle") {
        connection.doom ??= reason
      } else if (connection.generation === this.generation) {
        this.bag.closeIdle(connection, reason)
      }
    }
    this.wake()
  }

  // ---- answers of the edges

  opened(connection: Connection<A>, took: number): void {
    const now = this.deadlines.now()
    this.checks.prove(connection, now)
    this.dialer.succeeded()
    this.times.create.record(took)
    this.bag.add(connection)
    this.keeper.admit(connection, now)
    this.clockWatch.begin(now)
    this.events.publish?.({ _tag: "Dialed", took: Duration.millis(took) })
    const reason = this.unfit(connection)
    this.bag.opening--
    this.settle(connection, reason)
  }

  dialFailed(cause: unknown, delay: number): void {
    this.bag.opening--
    if (this.phase === "open") {
      this.lastError = { at: this.clock.currentTimeMillisUnsafe(), error: cause }
      this.dialer.failed(cause, delay, this.bag.open, () => this.wake())
      this.events.publish?.({
        _tag: "DialFailed",
        cause,
        failedDials: this.dialer.failedDials,
        retryIn: Duration.millis(delay)
      })
      if (this.dialer.down && this.settings.failFast) this.waiters.refuseAll("Unavailable")
      this.supply.dialFailed(() => this.report.unavailable())
    }
    this.wake()
  }

  /** It may be one that cannot be stopped: it holds its slot until `closed`, and others may dial. */
  dialForsaken(): void {
    this.bag.opening--
    this.bag.closing++
  }

  /** The time for it is over. */
  dialAbandoned(cause: unknown, delay: number): void {
    this.bag.closing++
    this.dialFailed(cause, delay)
  }

  checked(connection: Connection<A>, passed: boolean): void {
    if (passed) this.checks.passed(connection, this.deadlines.now())
    else this.checks.failed(connection)
    const reason = this.unfit(connection)
    this.bag.checking--
    this.settle(connection, reason)
  }

  reset(connection: Connection<A>, passed: boolean): void {
    if (!passed) connection.doom ??= "ResetFailed"
    const reason = this.unfit(connection)
    this.bag.checking--
    if (reason === undefined) this.takeBack(connection, this.deadlines.now())
    else this.bag.close(connection, reason)
    this.wake()
  }

  closed(): void {
    this.bag.closing--
    this.wake()
  }

  // ---- the pool as a whole

  now(): number {
    return this.deadlines.now()
  }

  after(millis: number, fire: () => void): () => void {
    return this.deadlines.after(millis, fire)
  }

  /** Resumes a caller that waits for the pool as a whole. */
  tell(resume: () => void): void {
    this.outbox.add({ run: resume })
    this.outbox.flush()
  }

  /** O(1): the swept connections close one by one, and none of them is lent again. */
  clear(interrupt: boolean): void {
    this.renew("Cleared")
    if (interrupt) this.leases.cutOthers(this.generation, "Cleared")
    this.wake()
  }

  private renew(reason: "Cleared" | "WrongRole"): void {
    this.generation++
    this.staleAs = reason
    this.bag.sweep(reason) // before `abort`, which may at once have new ones opened and somebody borrow
    this.edges.abort()
  }

  /** Refuses whoever waits or comes, closes what is idle; what is lent may finish. */
  drain(): void {
    if (this.phase !== "open") return
    this.phase = "draining"
    this.generation++
    this.events.publish?.({ _tag: "Draining" })
    this.dialer.close()
    this.waiters.refuseAll("ClosedRefused")
    this.bag.sweep("Drained")
    this.edges.abort()
    this.wake()
  }

  /** Nothing is lent or dialled until `resume`; what is open closes as by `clear`. */
  pause(): void {
    if (!this.mayDial) return
    this.dialer.pause()
    this.events.publish?.({ _tag: "Paused" })
    this.clear(false)
  }

  resume(): void {
    if (!this.dialer.paused) return
    this.dialer.resume()
    this.waiters.resumed(this.deadlines.now())
    this.events.publish?.({ _tag: "Resumed" })
    this.wake()
  }

  /** What is lent or being dialled, and is too many, closes when it comes back or opens. */
  resize(size: Size): void {
    Object.assign(this.settings, size)
    this.events.publish?.({ _tag: "Resized", ...size })
    const { bag } = this
    while (bag.idle.oldest !== undefined && bag.open > size.keep) {
      bag.closeIdle(bag.idle.oldest, "Resized")
    }
    this.waiters.relieve(size.max)
    this.wake()
  }

  /** The time of a drain is over. */
  cutDrained(): void {
    this.cutByDrain = this.cutByDrain.concat(this.leases.cutOthers(this.generation, "Drained"))
    this.wake()
  }

  /** The end, although connections may still be closing: their time is over too. */
  end(): void {
    if (this.phase === "closed") return
    this.phase = "closed"
    this.events.publish?.({ _tag: "Drained", cut: this.cutByDrain.length })
    this.deadlines.close()
  }

  stats(): Stats {
    return this.report.stats()
  }

  detail(): Detail {
    const { create, heldIdle, use, wait } = this.times
    return {
      times: {
        wait: wait.snapshot(),
        use: use.snapshot(),
        create: create.snapshot(),
        ...(heldIdle !== undefined && { heldIdle: heldIdle.snapshot() })
      },
      holders: this.report.holders(),
      lastError: this.lastError
    }
  }

  error(wait: Wait<A>, refusal: Refusal): PoolError {
    const error = this.report.error(wait, refusal)
    if (refusal === "TimedOut") this.events.publishEach?.({ _tag: "TimedOut", error })
    if (error.reason._tag === "Shed") this.events.publishEach?.({ _tag: "Shed", waited: error.reason.waited })
    return error
  }

  // ---- decisions

  /** Time has passed that nobody saw. */
  private jumped(millis: number, now: number): void {
    this.checks.doubtAll()
    this.keeper.jumped(millis, now)
    this.wake()
  }

  private refusal(wait: Wait<A>, deadline: number, now: number): Refusal | undefined {
    if (this.phase !== "open") return "ClosedRefused"
    if (this.dialer.down && this.settings.failFast) return "Unavailable"
    if (deadline <= now) return "TimedOut"
    if (this.waiters.size >= this.settings.maxWaiting) return "Refused"
    return this.lineage.admit(wait, this.settings.max) ? undefined : "NestedRefused"
  }

  private newestAlive(): Connection<A> | undefined {
    for (let top = this.bag.idle.newest; top !== undefined; top = this.bag.idle.newest) {
      const alive = this.settings.isAlive(top.item)
      if (top !== this.bag.idle.newest) continue // it called back
      if (alive) return top
      this.bag.closeIdle(top, "Broken")
      this.wake()
    }
    return undefined
  }

  /** Gives a sound connection to whose turn it is, or puts it aside. */
  private place(connection: Connection<A>, now: number): void {
    // Only after `resize`: otherwise its own slot was one of them.
    if (this.bag.open + this.bag.opening >= this.settings.max) return this.bag.close(connection, "Resized")
    const waiter = this.waiters.take(now)
    if (waiter !== undefined) {
      this.leases.begin(connection, waiter.kin, now, now - waiter.requestedAt)
      this.outbox.add(waiter)
    } else if (this.bag.staying >= this.settings.keep) {
      this.bag.close(connection, "Overflow")
    } else {
      this.bag.putIdle(connection)
    }
  }

  /** What becomes of a connection that was dialled or checked. */
  private settle(connection: Connection<A>, reason: CloseReason | undefined): void {
    if (reason === undefined) this.place(connection, this.deadlines.now())
    else this.bag.close(connection, reason)
    this.wake()
  }

  /**
   * Asked while the connection still counts where it stood: `isAlive` may call back, and change what is asked after.
   */
  private unfit(connection: Connection<A>): CloseReason | undefined {
    const alive = this.settings.isAlive(connection.item)
    if (connection.doom !== undefined) return connection.doom
    if (this.phase !== "open") return "Drained"
    if (connection.generation !== this.generation) return this.staleAs
    return alive ? undefined : "Broken"
  }

  /** Opens what `start` and `size.min` ask for. */
  start(): void {
    this.supply.filling = this.settings.start !== "lazy"
    this.wake()
  }

  /** After a change that may have made room or need: check, dial, tell the watchers, act. */
  wake(): void {
    this.keeper.settle()
    this.supplyWaiters()
    this.supply.turned()
    this.outbox.flush()
  }

  private supplyWaiters(): void {
    if (this.phase !== "open") return
    this.checks.supply(this.waiters.size)
    this.supply.dial(this.waiters.size)
  }

  /** The pool may have begun to drain, or been paused, since the dial was decided. */
  private startDial(): void {
    if (this.mayDial) return this.edges.dial()
    this.bag.opening--
    this.wake()
  }

  private get mayDial(): boolean {
    return this.phase === "open" && !this.dialer.paused
  }
}
