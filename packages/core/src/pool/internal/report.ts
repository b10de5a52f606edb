/**
 * What the pool says of itself: its numbers, and why a borrow was not served.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type { Deadlines } from "../../internal/deadlines.ts"
import { type Holder, type Phase, PoolError } from "../PoolError.ts"
import type { Bag } from "./bag.ts"
import type { Refusal, Wait } from "./borrow.ts"
import type { Dialer } from "./dialer.ts"
import type { Settings } from "./options.ts"
import type { Counts, Stats } from "./stats.ts"
import type { Waiting } from "./waiting.ts"

/** That are named at once. */
const HOLDERS = 5

/** The number that a refusal counts in. */
export const countOf = {
  TimedOut: "timedOut",
  Refused: "refused",
  Shed: "shed",
  Unavailable: "unavailable",
  NestedRefused: "nested",
  ClosedRefused: "refusedClosed"
} as const

export class Report<A> {
  readonly counts: Counts
  /** One for all: under overload most calls end with it. */
  private full: PoolError | undefined
  private readonly settings: Settings<A>
  private readonly bag: Bag<A>
  private readonly waiters: Waiting<A>
  private readonly dialer: Dialer
  private readonly deadlines: Deadlines

  constructor(
    settings: Settings<A>,
    bag: Bag<A>,
    waiters: Waiting<A>,
    dialer: Dialer,
    deadlines: Deadlines,
    counts: Counts
  ) {
    this.settings = settings
    this.bag = bag
    this.waiters = waiters
    this.dialer = dialer
    this.deadlines = deadlines
    this.counts = counts
  }

  stats(): Stats {
    const { keep, max, min } = this.settings
    const { checking, closed, closing, idle, opened, opening, used } = this.bag
    return {
      idle: idle.size,
      used: used.size,
      opening,
      checking,
      closing,
      waiting: this.waiters.size,
      min,
      max,
      keep,
      opened,
      closed,
      ...this.counts
    }
  }

  holders(): ReadonlyArray<Holder> {
    const now = this.deadlines.now()
    const holders: Array<Holder> = []
    for (let one = this.bag.used.oldest; one !== undefined && holders.length < HOLDERS; one = one.newer) {
      holders.push(one.borrow!.holder(now)) // what is in `used` is lent
    }
    return holders
  }

  error(wait: Wait<A>, refusal: Refusal): PoolError {
    switch (refusal) {
      case "TimedOut":
        return this.acquireTimeout(wait.requestedAt)
      case "Refused":
        return this.full ??= new PoolError({
          reason: { _tag: "QueueFull", pool: this.settings.name, maxWaiting: this.settings.maxWaiting }
        })
      case "Shed":
        return this.shed(this.deadlines.now() - wait.requestedAt)
      case "Unavailable":
        return this.unavailable()
      case "NestedRefused":
        return this.nested(wait)
      case "ClosedRefused":
        return this.closed()
    }
  }

  closed(): PoolError {
    return new PoolError({ reason: { _tag: "Closed", pool: this.settings.name } })
  }

  unavailable(): PoolError {
    return this.dialer.unavailable(this.settings.name)
  }

  private shed(waited: number): PoolError {
    const target = Duration.millis(this.settings.codel!.target) // nobody else sheds
    return new PoolError({
      reason: { _tag: "Shed", pool: this.settings.name, waited: Duration.millis(waited), target }
    })
  }

  private nested(wait: Wait<A>): PoolError {
    const [innermost] = wait.within ?? []
    return new PoolError({
      reason: {
        _tag: "NestedAcquire",
        pool: this.settings.name,
        max: this.settings.max,
        nestedIn: innermost?.holder(this.deadlines.now())
      }
    })
  }

  acquireTimeout(since: number): PoolError {
    const now = this.deadlines.now()
    return new PoolError({
      reason: {
        _tag: "AcquireTimeout",
        pool: this.settings.name,
        phase: this.waitedFor(),
        waited: Duration.millis(now - since),
        stats: this.stats(),
        oldestHolder: this.bag.used.oldest?.borrow?.holder(now),
        connectError: this.dialer.lastError,
        paused: this.dialer.paused ? true : undefined
      }
    })
  }

  private waitedFor(): Phase {
    if (this.bag.used.size >= this.settings.max) return "queue"
    if (this.dialer.isBusy(this.bag.opening)) return "dial"
    if (this.bag.checking > 0) return "check"
    // Slots can be held by dials that failed and cannot be stopped.
    return this.dialer.lastError === undefined ? "queue" : "dial"
  }
}
