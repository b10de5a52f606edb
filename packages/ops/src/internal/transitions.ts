/**
 * What is worth a line in the log: that something began or is over, with the reason. Nothing while all is well.
 *
 * @internal
 */
import type { Entry } from "@breakwater/core/Backends"
import * as LogLine from "@breakwater/core/LogLine"
import type { PolicyEvent } from "@breakwater/core/PolicyEvent"
import type * as Pool from "@breakwater/core/Pool"
import type { Holder } from "@breakwater/core/PoolError"
import type { PoolEvent } from "@breakwater/core/PoolEvent"
import * as Duration from "effect/Duration"
import { errorText } from "./happening.ts"

export interface Line {
  readonly level: "Info" | "Warn"
  readonly message: string
}

type Change = PoolEvent | PolicyEvent

const time = (millis: number): Duration.Duration => Duration.millis(Math.round(millis))

const who = ({ label, site }: Holder): string => label ?? site ?? "not named"

const held = ({ age }: Holder): Duration.Duration => time(Duration.toMillis(age))

const holding = ({ holder }: { readonly holder: Holder }): LogLine.Facts => ({
  holder: who(holder),
  held: held(holder)
})

/** So many dials in a row, and no connection open: that is no passing trouble. */
const DOWN_AFTER = 3

/** A server that is another than it was is told of by each of its connections. In milliseconds. */
const SAME_CHANGE = 5000

/** Nobody was turned away for so long: the shortage is over. In milliseconds. */
const CALM = 10_000

const turnedAway = ({ refused, shed, timedOut }: Pool.Stats): number => timedOut + refused + shed

/** One backend. Times are monotonic milliseconds. */
export class Transitions {
  private readonly subject: string
  private downSince: number | undefined
  private misledAt = -Infinity
  private away: number | undefined
  private shortSince: number | undefined
  private lastAwayAt = 0

  constructor({ backend, label }: Entry) {
    this.subject = LogLine.subject(backend.kind, label)
  }

  on(event: Change, stats: Pool.Stats, now: number): Line | undefined {
    switch (event._tag) {
      case "CircuitChanged":
        return this.circuit(event)
      case "DialFailed":
        if (this.downSince !== undefined || event.failedDials < DOWN_AFTER || stats.idle + stats.used > 0) return
        this.downSince = now
        return this.warn("cannot be reached", { error: errorText(event.cause), failed_dials: event.failedDials })
      case "Dialed":
        return this.reached(now)
      case "Closed":
        return event.reason === "WrongRole" ? this.misled(now) : undefined
      case "Revoked":
        return event.why === "HoldExceeded"
          ? this.warn("cut a borrow that was held for too long", holding(event))
          : undefined
      case "Leaked":
        return this.warn("has lent a connection for suspiciously long", holding(event))
      case "LeakReturned":
        return this.info("got back a connection that was lent for suspiciously long", holding(event))
      case "Paused":
        return this.info("is paused")
      case "Resumed":
        return this.info("goes on after a pause")
      case "Resized":
        return this.info("has other sizes", { min: event.min, max: event.max, keep: event.keep })
      case "Draining":
        return this.info("drains")
      case "Drained":
        return event.cut === 0
          ? this.info("is drained")
          : this.warn("is drained, and cut work under way", { cut: event.cut })
      default:
        return undefined
    }
  }

  /** To be asked now and then: single borrows are not listened to. */
  look(stats: Pool.Stats, now: number, oldest: Holder | undefined): Line | undefined {
    const away = turnedAway(stats)
    const before = this.away ?? away
    this.away = away
    if (away > before) {
      this.lastAwayAt = now
      if (this.shortSince !== undefined) return
      this.shortSince = now
      const { idle, max, refused, shed, timedOut, used, waiting } = stats
      return this.warn("turns callers away", {
        turned_away: away - before,
        used,
        idle,
        waiting,
        max,
        timed_out: timedOut,
        refused,
        shed,
        ...(oldest && { oldest_holder: who(oldest), held: held(oldest) })
      })
    }
    if (this.shortSince === undefined || now - this.lastAwayAt < CALM) return
    const after = time(this.lastAwayAt - this.shortSince)
    this.shortSince = undefined
    return this.info("serves all callers again", { after })
  }

  private circuit({ from, key, operation, to }: Extract<Change, { readonly _tag: "CircuitChanged" }>): Line {
    const facts = { from, to, operation, key }
    if (to === "open") return this.warn("opened its breaker", facts)
    return this.info(to === "closed" ? "closed its breaker" : "tries whether its breaker may close", facts)
  }

  private reached(now: number): Line | undefined {
    if (this.downSince === undefined) return undefined
    const after = time(now - this.downSince)
    this.downSince = undefined
    return this.info("is reached again", { after })
  }

  private misled(now: number): Line | undefined {
    const since = now - this.misledAt
    this.misledAt = now
    return since < SAME_CHANGE ? undefined : this.warn("leaves a server that is not the one that is sought")
  }

  private info(message: string, facts?: LogLine.Facts): Line {
    return this.line("Info", message, facts)
  }

  private warn(message: string, facts?: LogLine.Facts): Line {
    return this.line("Warn", message, facts)
  }

  private line(level: Line["level"], message: string, facts: LogLine.Facts | undefined): Line {
    const reason = facts === undefined ? "" : `: ${LogLine.pairs(facts)}`
    return { level, message: `${this.subject} ${message}${reason}` }
  }
}
