/**
 * The calls under way: bounded in number, each with a signal of its own, each known until the function it was given has
 * settled, also where nobody waits for that any more.
 *
 * @internal
 */
import { type Holder, PoolError } from "@breakwater/core/PoolError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Db, MongoClient, TopologyDescription } from "mongodb"
import { AsyncLocalStorage } from "node:async_hooks"
import type { MongoError } from "../MongoError.ts"
import { classify } from "./classify.ts"
import type { Caller, Monitor } from "./monitor.ts"

/**
 * What bounds an operation, in the driver's own names: hand it on as the options of each.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** Aborted when the call is interrupted, takes too long, or is cut. */
  readonly signal: AbortSignal
  /** What is left of deadline and timeout at the moment it is read, at least 1: for the server to keep to. */
  readonly maxTimeMS: number
}

/**
 * Work for a database. It may run any number of operations, and ends soon after `signal` is aborted.
 *
 * @since 0.1.0
 * @category models
 */
export interface Work<A> {
  (db: Db, signal: AbortSignal, limits: Limits): PromiseLike<A>
}

/** One client of the driver, and the calls that use it. */
export interface Slot {
  readonly client: MongoClient
  readonly calls: Set<Call>
  /** What the driver said last of the servers. */
  topology: TopologyDescription | undefined
}

/** How long an interrupted call waits for its function, which goes on by itself after that. */
const GRACE = Duration.millis(100)

/** Whose operation it is, wherever the driver goes on with it. */
const current = new AsyncLocalStorage<Call>()

export const currentCall = (): Call | undefined => current.getStore()

export class Call implements Caller {
  started = 0
  pending = 0
  readonly label: string
  readonly since: number
  readonly controller = new AbortController()
  /** Ends the call at once, whatever its function does. */
  revoke: (why: "Cleared" | "Drained") => void = () => {}

  constructor(label: string, since: number) {
    this.label = label
    this.since = since
  }

  holder(now: number): Holder {
    return { age: Duration.millis(now - this.since), label: this.label, site: undefined }
  }
}

const revoked = (pool: string, why: "Cleared" | "Drained"): PoolError =>
  new PoolError({ reason: { _tag: "Revoked", pool, why, cause: undefined } })

export class Calls {
  open = true
  private readonly all = new Set<Call>()
  private readonly monitor: Monitor
  private readonly database: string | undefined

  constructor(monitor: Monitor, database: string | undefined) {
    this.monitor = monitor
    this.database = database
  }

  get size(): number {
    return this.all.size
  }

  get closed(): PoolError {
    return new PoolError({ reason: { _tag: "Closed", pool: this.monitor.limits.name } })
  }

  /** Runs `work` where there is room. */
  run<A>(slot: () => Slot, label: string, maxTimeMS: number, work: Work<A>): Effect.Effect<A, MongoError | PoolError> {
    return Effect.suspend(() => {
      const { max, maxWaiting } = this.monitor.limits
      if (!this.open || this.all.size < max + maxWaiting) return this.runBeyondLimit(slot, label, maxTimeMS, work)
      return Effect.fail(this.monitor.full())
    })
  }

  /** For those who ask how it goes: a full house must not look like a dead one. */
  runBeyondLimit<A>(
    slot: () => Slot,
    label: string,
    maxTimeMS: number,
    work: Work<A>
  ): Effect.Effect<A, MongoError | PoolError> {
    return Effect.suspend(() => {
      if (this.open) return this.begin(slot(), label, maxTimeMS, work)
      this.monitor.refuse("ClosedRefused")
      return Effect.fail(this.closed)
    })
  }

  /** Cuts the calls of one client, or all; who they were. */
  cut(calls: ReadonlySet<Call> = this.all, why: "Cleared" | "Drained" = "Drained"): ReadonlyArray<Holder> {
    const now = this.monitor.now()
    const cut = Array.from(calls)
    const holders = cut.map((call) => call.holder(now))
    this.monitor.revoke(holders, why)
    for (const call of cut) call.revoke(why)
    this.monitor.changed()
    return holders
  }

  private begin<A>(
    slot: Slot,
    label: string,
    maxTimeMS: number,
    work: Work<A>
  ): Effect.Effect<A, MongoError | PoolError> {
    return Effect.callback((resume) => {
      const call = new Call(label, this.monitor.now())
      const { signal } = call.controller
      this.all.add(call)
      slot.calls.add(call)
      call.revoke = (why) => {
        const error = revoked(this.monitor.limits.name, why)
        // Nobody need wait for its function: its client is being closed.
        this.all.delete(call)
        slot.calls.delete(call)
        call.controller.abort(error)
        resume(Effect.fail(error))
      }
      const db = slot.client.db(this.database)
      const limits = this.limits(call, maxTimeMS)
      const settled = current.run(call, async () => work(db, signal, limits)).then(
        (value) => resume(Effect.succeed(value)),
        (error: unknown) => resume(Effect.fail(this.failure(call, error)))
      ).finally(() => this.ended(slot, call))
      return Effect.suspend(() => {
        call.controller.abort(new DOMException("The call was interrupted", "AbortError"))
        return Effect.ignore(Effect.timeout(Effect.promise(() => settled), GRACE))
      })
    })
  }

  /** The later an operation of the call begins, the less time it has. */
  private limits({ controller: { signal }, since }: Call, maxTimeMS: number): Limits {
    const { monitor } = this
    return {
      signal,
      get maxTimeMS() {
        return Math.max(1, Math.ceil(since + maxTimeMS - monitor.now()))
      }
    }
  }

  private ended(slot: Slot, call: Call): void {
    this.all.delete(call)
    slot.calls.delete(call)
    if (call.controller.signal.aborted) this.monitor.forget(call)
    this.monitor.changed()
  }

  private failure(call: Call, error: unknown): MongoError | PoolError {
    const { monitor } = this
    monitor.failures++
    const classified = classify(error, {
      pool: monitor.limits.name,
      started: call.started,
      timedOut: () => monitor.acquireTimeout(monitor.now() - call.since, this.oldest(call)),
      ended: () => this.open ? undefined : this.closed
    })
    if (classified.reason._tag === "ServerSelection") monitor.refuse("Unavailable")
    return classified
  }

  /** Whose functions have been at it longest, the first of them first. */
  holders(atMost: number): ReadonlyArray<Holder> {
    const holders: Array<Holder> = []
    for (const call of this.all) {
      if (holders.length === atMost) break
      if (call.started > 0) holders.push(call.holder(this.monitor.now()))
    }
    return holders
  }

  /** Who has been at it longest, but for the one who asks. */
  private oldest(except: Call): Holder | undefined {
    for (const call of this.all) if (call !== except && call.started > 0) return call.holder(this.monitor.now())
    return undefined
  }
}
