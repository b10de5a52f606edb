/**
 * Why a borrow failed, with what the caller needs to decide: which phase it was in, who holds the connections, what
 * the last attempt to connect said, whether anything can have reached the server.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { SqlError } from "effect/sql/SqlError"
import * as Stackless from "../internal/stackless.ts"
import type { Stats } from "./internal/stats.ts"

const TypeId = "~@breakwater/core/PoolError"

/**
 * What a borrow was waiting for: a connection in use (`queue`), a new one (`dial`), or the check of an idle one.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase = "queue" | "dial" | "check"

/**
 * Who holds a connection. `site` is the innermost `Effect.fn` or span at the borrow, where there is one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Holder {
  readonly age: Duration.Duration
  readonly label: string | undefined
  readonly site: string | undefined
}

/**
 * The deadline came first. `stats` are of that moment; `connectError` is what the last failed dial said, if none has
 * succeeded since.
 *
 * @since 0.1.0
 * @category models
 */
export interface AcquireTimeout {
  readonly _tag: "AcquireTimeout"
  readonly pool: string
  readonly phase: Phase
  readonly waited: Duration.Duration
  readonly stats: Stats
  readonly oldestHolder: Holder | undefined
  readonly connectError: unknown
  /** The pool was paused at that moment. */
  readonly paused?: true | undefined
}

/**
 * `wait.maxWaiting` callers wait already; refused at once. One instance is shared by all callers.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueueFull {
  readonly _tag: "QueueFull"
  readonly pool: string
  readonly maxWaiting: number
}

/**
 * The pool is overloaded, and this borrow had waited for longer than twice the `target` of `wait.codel`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shed {
  readonly _tag: "Shed"
  readonly pool: string
  readonly waited: Duration.Duration
  readonly target: Duration.Duration
}

/**
 * The server cannot be reached: three dials in a row failed and no connection is open. One instance is shared by all
 * callers until the state changes, for a second at most. `cause` is what the last dial said, `downFor` how long dials have
 * failed with no connection open, where it is known.
 *
 * @since 0.1.0
 * @category models
 */
export interface Unavailable {
  readonly _tag: "Unavailable"
  readonly pool: string
  readonly failedDials: number
  readonly downFor?: Duration.Duration | undefined
  readonly cause: unknown
}

/**
 * The borrow ran inside another one of the same pool (`nestedIn`, the innermost), and would have waited for what cannot
 * come back before it ends: every one of `max` connections is held by a borrow that waits for a further one. With
 * `wait.nested: "fail"`: it would have had to wait.
 *
 * @since 0.1.0
 * @category models
 */
export interface NestedAcquire {
  readonly _tag: "NestedAcquire"
  readonly pool: string
  readonly max: number
  readonly nestedIn: Holder | undefined
}

/**
 * The connection was cut under the running work: by `Pool.clear`, by the end of the pool, or because it was held for
 * longer than `wait.maxHold`. `cause` is how that work failed. What it sent may have been executed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Revoked {
  readonly _tag: "Revoked"
  readonly pool: string
  readonly why: "Cleared" | "Drained" | "HoldExceeded"
  readonly cause: unknown
}

/**
 * The pool is draining or closed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Closed {
  readonly _tag: "Closed"
  readonly pool: string
}

/**
 * Why a borrow failed.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason = AcquireTimeout | QueueFull | Shed | Unavailable | NestedAcquire | Revoked | Closed

/**
 * How the failure counts for whoever measures the backend's health, and whether the work can have reached the server.
 * A full pool says nothing about the server (`Ignored`); a dial that failed or a cut connection does (`Failure`). While
 * the server is out of reach the pool itself holds callers off (`heldOff`): those of the first five seconds may come again,
 * and later ones are told at once (`lasting`), since of a longer outage few would live to see the end.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolOutcome {
  readonly _tag: "Failure" | "Ignored"
  readonly sent: "no" | "unknown"
  readonly heldOff?: true | undefined
  readonly lasting?: true | undefined
}

/**
 * The one error of a pool. Match it by reason: `Effect.catchReason("PoolError", "AcquireTimeout", …)`.
 *
 * @since 0.1.0
 * @category errors
 */
export class PoolError extends Data.TaggedError("PoolError")<{ readonly reason: Reason }> {
  /** Marks the value for `isPoolError`, also where a program has core twice. */
  readonly [TypeId] = TypeId

  /** What kept the pool from lending: the failed dial, or how the cut work failed. */
  override readonly cause: unknown

  constructor(args: { readonly reason: Reason }) {
    const limit = Stackless.begin()
    super(args)
    Stackless.end(limit)
    this.cause = causeOf(args.reason)
  }

  override get message(): string {
    return messageOf(this.reason)
  }

  get outcome(): PoolOutcome {
    return outcomeOf(this.reason)
  }
}

/**
 * Whether a value is a `PoolError`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isPoolError = (u: unknown): u is PoolError => Predicate.hasProperty(u, TypeId)

/**
 * The pool's error inside a `SqlError`, the very same object, where the pool is what failed.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromSqlError = (error: SqlError): Option.Option<PoolError> =>
  isPoolError(error.reason.cause) ? Option.some(error.reason.cause) : Option.none()

const causeOf = (reason: Reason): unknown => {
  switch (reason._tag) {
    case "AcquireTimeout":
      return reason.connectError
    case "Unavailable":
    case "Revoked":
      return reason.cause
    case "QueueFull":
    case "Shed":
    case "NestedAcquire":
    case "Closed":
      return undefined
  }
}

const NOT_THE_SERVER: PoolOutcome = { _tag: "Ignored", sent: "no" }
const NOT_REACHED: PoolOutcome = { _tag: "Failure", sent: "no" }
const HELD_OFF: PoolOutcome = { _tag: "Failure", sent: "no", heldOff: true }
const LASTING: PoolOutcome = { ...HELD_OFF, lasting: true }
const CUT: PoolOutcome = { _tag: "Failure", sent: "unknown" }

/** A choice of ours: more than ten times what the default delays of a retry take on average. */
const HOPEFUL = Duration.seconds(5)

const outcomeOf = (reason: Reason): PoolOutcome => {
  switch (reason._tag) {
    case "AcquireTimeout":
      return reason.phase === "queue" ? NOT_THE_SERVER : NOT_REACHED
    case "Unavailable":
      return reason.downFor === undefined || Duration.isLessThan(reason.downFor, HOPEFUL) ? HELD_OFF : LASTING
    case "Revoked":
      return CUT
    case "QueueFull":
    case "Shed":
    case "NestedAcquire":
    case "Closed":
      return NOT_THE_SERVER
  }
}

const messageOf = (reason: Reason): string => {
  switch (reason._tag) {
    case "AcquireTimeout":
      return acquireTimeoutMessage(reason)
    case "QueueFull":
      return `Pool "${reason.pool}" refused a borrow: ${reason.maxWaiting} callers wait already. ` +
        "Shed load before the pool, or raise size.max if the server has room."
    case "Shed":
      return `Pool "${reason.pool}" is overloaded and shed a borrow after ${format(reason.waited)} ` +
        `(target ${
          format(reason.target)
        }). Ask for less, shorten the borrows, or raise size.max if the server has room.`
    case "Unavailable":
      return `Pool "${reason.pool}" cannot reach its server${
        reason.downFor === undefined ? "" : `, now for ${format(reason.downFor)}`
      }: ${reason.failedDials} dials in a row failed, ` +
        `the last with ${describe(reason.cause)}. It keeps trying; retry later.`
    case "NestedAcquire":
      return nestedAcquireMessage(reason)
    case "Revoked":
      return `Pool "${reason.pool}" cut the connection under the running work (${reason.why}). ` +
        "Find out whether it took effect before repeating it."
    case "Closed":
      return `Pool "${reason.pool}" is closed.`
  }
}

const nestedAcquireMessage = (reason: NestedAcquire): string => {
  const inside = reason.nestedIn === undefined ? "" : `, which is ${describeHolder(reason.nestedIn)}`
  return `Pool "${reason.pool}" refused a borrow inside another one${inside}: it would wait for connections whose ` +
    `holders wait for it (max ${reason.max}). Use the connection of the outer borrow, or end that one first.`
}

const acquireTimeoutMessage = (reason: AcquireTimeout): string => {
  const { stats } = reason
  const counts = `${stats.used} used, ${stats.idle} idle, ${stats.opening} opening, ${stats.checking} in a check, ` +
    `${stats.waiting} waiting, max ${stats.max}`
  const holder = reason.oldestHolder === undefined
    ? ""
    : `; the oldest borrow is ${describeHolder(reason.oldestHolder)}`
  const error = reason.connectError === undefined ? "" : `; the last dial failed with ${describe(reason.connectError)}`
  return `Pool "${reason.pool}" had no connection within ${format(reason.waited)} (phase ${reason.phase}): ` +
    `${counts}${holder}${error}. ${remedy(reason)}`
}

/** The one thing to do first that the counts point at. */
const remedy = (reason: AcquireTimeout): string => {
  if (reason.paused) return "The pool is paused: resume it, or give its callers a longer wait.timeout."
  switch (reason.phase) {
    case "dial":
      return reason.connectError === undefined
        ? "The server accepts connections slowly or not at all: look at the network and at dial.timeout."
        : "Make the server reachable."
    case "check":
      return "Idle connections do not answer: look for a firewall that drops them."
    case "queue": {
      const age = reason.oldestHolder?.age
      return age !== undefined && Duration.isGreaterThanOrEqualTo(age, reason.waited)
        ? "Look at what the oldest borrow is doing before raising size.max."
        : "Demand is above what size.max connections serve: shorten the borrows or raise size.max."
    }
  }
}

const describeHolder = (holder: Holder): string => {
  const name = holder.label ?? holder.site
  return `${format(holder.age)} old${name === undefined ? "" : ` (${name})`}`
}

const format = (duration: Duration.Duration): string =>
  Duration.format(Duration.millis(Math.round(Duration.toMillis(duration))))

const describe = (cause: unknown): string => cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
