/**
 * The driver's own pool, seen through its events: how many connections stand where, and how check-outs ended.
 *
 * What the events do not say:
 * - a check-out whose signal is aborted ends without one; the call that it belongs to tells (`forget`)
 * - a dial that ends after its pool was cleared may end without one; it is no longer counted from the clear on
 * - connections in use when the client closes end without one; the end of their pool counts for them
 *
 * @internal
 */
import type { EventHub } from "@breakwater/core/EventHub"
import * as Histogram from "@breakwater/core/Histogram"
import * as Monotonic from "@breakwater/core/Monotonic"
import * as Pool from "@breakwater/core/Pool"
import { type Holder, PoolError } from "@breakwater/core/PoolError"
import type { CloseReason, PoolEvent } from "@breakwater/core/PoolEvent"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type * as Types from "effect/Types"
import type {
  ConnectionCheckedOutEvent,
  ConnectionCheckOutFailedEvent,
  ConnectionClosedEvent,
  ConnectionPoolMonitoringEvent,
  ConnectionReadyEvent,
  MongoClient
} from "mongodb"

export interface Limits {
  readonly name: string
  readonly min: number
  readonly max: number
  readonly maxWaiting: number
  /** When the driver looks again after a failed dial, in milliseconds. */
  readonly redial: number
}

/** What the events of one call are put down to. */
export interface Caller {
  /** Check-outs begun. */
  started: number
  /** Those of them that wait, or hold a connection. */
  pending: number
}

/** Whose operation an event is about, where it is known. */
export type CurrentCaller = () => Caller | undefined

interface Connection {
  state: "opening" | "idle" | "used"
  lent: boolean
  since: number
}

const CLOSE_REASONS: Record<string, CloseReason> = {
  idle: "Idle",
  stale: "Cleared",
  poolClosed: "Drained"
}

type PoolKey = string

export class Monitor {
  readonly limits: Limits
  /** How often things happened. How they stand is in `standing`. */
  readonly counts: Types.Mutable<Pool.Stats> = { ...Pool.emptyStats }
  readonly times = { wait: Histogram.make(), use: Histogram.make(), create: Histogram.make() }
  /** Of calls. */
  failures = 0
  /** Of the last dial that failed, also where others have succeeded since. */
  lastError: Pool.LastError | undefined
  readonly standing = { opening: 0, idle: 0, used: 0 }
  waiting = 0
  /** Calls that wait for the end of a pause. */
  held = 0
  /** In a row; with the monitoring connections, which dial too. */
  failedDials = 0
  lastDialError: unknown
  private readonly pools = new Map<PoolKey, Map<number | string, Connection>>()
  private readonly watchers = new Set<() => void>()
  private readonly clock: Clock.Clock
  private readonly events: EventHub<PoolEvent>
  private readonly caller: CurrentCaller

  constructor(limits: Limits, clock: Clock.Clock, events: EventHub<PoolEvent>, caller: CurrentCaller) {
    this.limits = limits
    this.clock = clock
    this.events = events
    this.caller = caller
  }

  /** `prefix` tells the connections of one client from those of another: the driver counts from 1 in each. */
  attach(client: MongoClient, prefix: string): void {
    const key = (event: ConnectionPoolMonitoringEvent): PoolKey => `${prefix}${event.address}`
    const on = (change: () => void): void => {
      change()
      this.changed()
    }
    client.on("connectionPoolCreated", (event) => on(() => this.pools.set(key(event), new Map())))
    client.on("connectionPoolCleared", (event) => on(() => this.forgetDials(key(event))))
    client.on("connectionPoolClosed", (event) => on(() => this.poolClosed(key(event))))
    client.on("connectionCreated", (event) => on(() => this.created(key(event), event.connectionId)))
    client.on("connectionReady", (event) => on(() => this.ready(key(event), event)))
    client.on("connectionClosed", (event) => on(() => this.closed(key(event), event)))
    client.on("connectionCheckOutStarted", () => on(() => this.started()))
    client.on("connectionCheckOutFailed", (event) => on(() => this.failed(event)))
    client.on("connectionCheckedOut", (event) => on(() => this.checkedOut(key(event), event)))
    client.on("connectionCheckedIn", (event) => on(() => this.checkedIn(key(event), event.connectionId)))
    client.on("serverHeartbeatFailed", (event) => on(() => this.dialFailed(event.failure)))
    client.on("serverHeartbeatSucceeded", () => this.reached())
  }

  /** Called after every change, until the returned function is. */
  watch(onChange: () => void): () => void {
    this.watchers.add(onChange)
    return () => void this.watchers.delete(onChange)
  }

  changed(): void {
    for (const watcher of Array.from(this.watchers)) watcher()
  }

  get open(): number {
    return this.standing.idle + this.standing.used
  }

  now(): number {
    return Monotonic.millis(this.clock)
  }

  /** `max` is of each server's pool, and there is one a server. */
  stats(): Pool.Stats {
    const pools = Math.max(1, this.pools.size)
    const max = this.limits.max * pools
    return {
      ...this.counts,
      ...this.standing,
      waiting: this.waiting + this.held,
      min: this.limits.min * pools,
      max,
      keep: max
    }
  }

  acquireTimeout(waited: number, oldestHolder: Holder | undefined, paused?: true): PoolError {
    const stats = this.stats()
    return new PoolError({
      reason: {
        _tag: "AcquireTimeout",
        pool: this.limits.name,
        phase: stats.used >= stats.max || this.lastDialError === undefined && stats.opening === 0 ? "queue" : "dial",
        waited: Duration.millis(waited),
        stats,
        oldestHolder,
        connectError: this.lastDialError,
        paused
      }
    })
  }

  unavailable(cause: unknown): PoolError {
    const { failedDials, limits: { name } } = this
    return new PoolError({ reason: { _tag: "Unavailable", pool: name, failedDials: Math.max(1, failedDials), cause } })
  }

  /** A call has waited in vain for the end of a pause. */
  pausedFor(waited: Duration.Duration): PoolError {
    const error = this.acquireTimeout(Duration.toMillis(waited), undefined, true)
    this.counts.timedOut++
    this.events.publishEach?.({ _tag: "TimedOut", error })
    return error
  }

  /** As many calls wait as may. */
  full(): PoolError {
    const { maxWaiting, name } = this.limits
    this.refuse("Refused")
    return new PoolError({ reason: { _tag: "QueueFull", pool: name, maxWaiting } })
  }

  /** A call that waited was interrupted. */
  cancelled(): void {
    this.counts.cancelled++
    this.events.publishEach?.({ _tag: "Cancelled" })
  }

  /** A call was turned away before it began. */
  refuse(why: "Refused" | "ClosedRefused" | "Unavailable"): void {
    this.counts[why === "Refused" ? "refused" : why === "Unavailable" ? "unavailable" : "refusedClosed"]++
    this.events.publishEach?.({ _tag: why })
  }

  /** Check-outs of a call that ended by its signal: the driver says nothing of those that waited. */
  forget(caller: Caller): void {
    const gone = Math.min(caller.pending, this.waiting)
    caller.pending = 0
    this.waiting -= gone
    for (let n = 0; n < gone; n++) this.cancelled()
    if (gone > 0) this.changed()
  }

  revoke(holders: ReadonlyArray<Holder>, why: "Cleared" | "Drained"): void {
    this.counts.revoked += Math.min(holders.length, this.standing.used)
    for (const holder of holders) this.events.publish?.({ _tag: "Revoked", why, holder })
  }

  private started(): void {
    this.waiting++
    const caller = this.caller()
    if (caller !== undefined) {
      caller.started++
      caller.pending++
    }
    if (this.standing.idle === 0) this.events.publishEach?.({ _tag: "Waited", waiting: this.waiting })
  }

  private failed({ durationMS, reason }: ConnectionCheckOutFailedEvent): void {
    this.waiting = Math.max(0, this.waiting - 1)
    if (reason === "timeout") {
      // Only this one is told of where the operation is.
      const caller = this.caller()
      if (caller !== undefined) caller.pending--
      this.counts.timedOut++
      this.events.publishEach?.({ _tag: "TimedOut", error: this.acquireTimeout(durationMS, undefined) })
    } else {
      this.refuse(reason === "poolClosed" ? "ClosedRefused" : "Unavailable")
    }
  }

  private checkedOut(pool: PoolKey, { connectionId, durationMS }: ConnectionCheckedOutEvent): void {
    // One that was taken for cancelled was not.
    if (this.waiting > 0) this.waiting--
    else if (this.counts.cancelled > 0) this.counts.cancelled--
    const connection = this.pools.get(pool)?.get(connectionId)
    if (connection === undefined) return
    const { lent } = connection
    this.stand(connection, "used")
    connection.since = this.now()
    connection.lent = true
    this.counts.acquired++
    if (lent) this.counts.reused++
    this.times.wait.record(durationMS)
    this.events.publishEach?.({ _tag: "Acquired", waited: Duration.millis(durationMS), reused: lent })
  }

  private checkedIn(pool: PoolKey, id: number | string): void {
    const caller = this.caller()
    if (caller !== undefined && caller.pending > 0) caller.pending--
    const connection = this.pools.get(pool)?.get(id)
    if (connection?.state !== "used") return
    this.stand(connection, "idle")
    const held = this.now() - connection.since
    this.times.use.record(held)
    this.events.publishEach?.({ _tag: "Returned", held: Duration.millis(held) })
  }

  private created(pool: PoolKey, id: number | string): void {
    this.pools.get(pool)?.set(id, { state: "opening", lent: false, since: this.now() })
    this.standing.opening++
  }

  private ready(pool: PoolKey, { connectionId, durationMS }: ConnectionReadyEvent): void {
    const connections = this.pools.get(pool)
    if (connections === undefined) return
    // Of a dial that was forgotten, it is heard of again.
    if (!connections.has(connectionId)) this.created(pool, connectionId)
    const connection = connections.get(connectionId)
    if (connection !== undefined) this.stand(connection, "idle")
    this.counts.opened++
    this.times.create.record(durationMS)
    this.reached()
    this.events.publish?.({ _tag: "Dialed", took: Duration.millis(durationMS) })
  }

  private closed(pool: PoolKey, event: ConnectionClosedEvent): void {
    const { connectionId, reason } = event
    const error: unknown = Reflect.get(event, "error") ?? undefined // which has no type
    const connection = this.pools.get(pool)?.get(connectionId)
    this.pools.get(pool)?.delete(connectionId)
    if (connection === undefined || connection.state === "opening") {
      if (connection !== undefined) this.standing.opening--
      if (error !== undefined) this.dialFailed(error)
      return
    }
    this.standing[connection.state]--
    this.ended(CLOSE_REASONS[reason] ?? "Broken")
  }

  private forgetDials(pool: PoolKey): void {
    const connections = this.pools.get(pool)
    for (const [id, { state }] of connections ?? []) {
      if (state !== "opening") continue
      connections?.delete(id)
      this.standing.opening--
    }
  }

  private poolClosed(pool: PoolKey): void {
    this.forgetDials(pool)
    for (const { state } of this.pools.get(pool)?.values() ?? []) {
      this.standing[state]--
      this.ended("Drained")
    }
    this.pools.delete(pool)
  }

  private ended(reason: CloseReason): void {
    this.counts.closed++
    this.events.publish?.({ _tag: "Closed", reason })
  }

  private stand(connection: Connection, state: Connection["state"]): void {
    this.standing[connection.state]--
    this.standing[state]++
    connection.state = state
  }

  private dialFailed(cause: unknown): void {
    this.failedDials++
    this.lastDialError = cause
    this.lastError = { at: this.clock.currentTimeMillisUnsafe(), error: cause }
    const { failedDials, limits: { redial } } = this
    this.events.publish?.({ _tag: "DialFailed", cause, failedDials, retryIn: Duration.millis(redial) })
  }

  private reached(): void {
    this.failedDials = 0
    this.lastDialError = undefined
  }
}
