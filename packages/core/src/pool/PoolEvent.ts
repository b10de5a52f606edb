/**
 * What happened to a connection or a borrow. Published by `Pool.events`, never logged; nothing is built while nobody
 * listens.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type { Holder, PoolError, Revoked as ErrorRevoked } from "./PoolError.ts"

/**
 * Why a connection was closed:
 *
 * - `Overflow`: nobody waited when it came back, and more than `size.keep` were open
 * - `Idle`: nobody used it for `lifetime.idle`
 * - `MaxLifetime`: it was as old as `lifetime.max` lets one get
 * - `CheckFailed`: it did not pass its check
 * - `ResetFailed`: `onReturn` failed, or took longer than `check.timeout`
 * - `Broken`: it was dead
 * - `PeerClosed`: the other side ended it, with a goodbye or without
 * - `PingTimeout`: the other side did not answer a ping in time; it is gone without a word
 * - `SlowReader`: the other side did not read, so that there was no more room for what is sent to it
 * - `Invalidated`: its user said so, by `Pool.invalidate`
 * - `WrongRole`: the server behind it is not, or no longer, the one that is sought; see `Pool.invalidate`
 * - `Cancelled`: its work was given up, and may still have run
 * - `Cleared`: by `Pool.clear` or `Pool.pause`
 * - `Resized`: by `Pool.resize`
 * - `HoldExceeded`: it was held for longer than `wait.maxHold`
 * - `Drained`: the pool ended
 *
 * @since 0.1.0
 * @category models
 */
export type CloseReason =
  | "Overflow"
  | "Idle"
  | "MaxLifetime"
  | "CheckFailed"
  | "ResetFailed"
  | "Broken"
  | "PeerClosed"
  | "PingTimeout"
  | "SlowReader"
  | "Invalidated"
  | "WrongRole"
  | "Cancelled"
  | "Cleared"
  | "Resized"
  | "HoldExceeded"
  | "Drained"

/**
 * A connection was opened.
 *
 * @since 0.1.0
 * @category models
 */
export interface Dialed {
  readonly _tag: "Dialed"
  readonly took: Duration.Duration
}

/**
 * A dial failed; the next one comes after `retryIn` at the earliest.
 *
 * @since 0.1.0
 * @category models
 */
export interface DialFailed {
  readonly _tag: "DialFailed"
  readonly cause: unknown
  readonly failedDials: number
  readonly retryIn: Duration.Duration
}

/**
 * A borrow was served after `waited`, by a connection that had been used before or by a new one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Acquired {
  readonly _tag: "Acquired"
  readonly waited: Duration.Duration
  readonly reused: boolean
}

/**
 * A borrow gave its connection back, which it had `held` for that long.
 *
 * @since 0.1.0
 * @category models
 */
export interface Returned {
  readonly _tag: "Returned"
  readonly held: Duration.Duration
}

/**
 * A connection began to close; its slot is free once the close has ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Closed {
  readonly _tag: "Closed"
  readonly reason: CloseReason
}

/**
 * A borrow began to wait, as the `waiting`th.
 *
 * @since 0.1.0
 * @category models
 */
export interface Waited {
  readonly _tag: "Waited"
  readonly waiting: number
}

/**
 * A borrow reached its deadline before it had a connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface TimedOut {
  readonly _tag: "TimedOut"
  readonly error: PoolError
}

/**
 * Refused because the queue is full.
 *
 * @since 0.1.0
 * @category models
 */
export interface Refused {
  readonly _tag: "Refused"
}

/**
 * Turned away after `waited`, because the pool is overloaded.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shed {
  readonly _tag: "Shed"
  readonly waited: Duration.Duration
}

/**
 * The caller was interrupted while it waited.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cancelled {
  readonly _tag: "Cancelled"
}

/**
 * A borrow failed because the server cannot be reached.
 *
 * @since 0.1.0
 * @category models
 */
export interface Unavailable {
  readonly _tag: "Unavailable"
}

/**
 * A borrow inside another one failed, as `wait.nested` says.
 *
 * @since 0.1.0
 * @category models
 */
export interface NestedRefused {
  readonly _tag: "NestedRefused"
}

/**
 * A borrow was refused because the pool is draining or closed.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClosedRefused {
  readonly _tag: "ClosedRefused"
}

/**
 * A borrow lost its connection while it held it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Revoked {
  readonly _tag: "Revoked"
  readonly why: ErrorRevoked["why"]
  readonly holder: Holder
}

/**
 * A borrow has held its connection for longer than `leak.after`; said once of each. `fiber` is the id of the borrower's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Leaked {
  readonly _tag: "Leaked"
  readonly holder: Holder
  readonly fiber: number
}

/**
 * A borrow that was named as `Leaked` has ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface LeakReturned {
  readonly _tag: "LeakReturned"
  readonly holder: Holder
  readonly fiber: number
}

/**
 * The pool lends and dials nothing until it is resumed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Paused {
  readonly _tag: "Paused"
}

/**
 * The pool lends and dials again.
 *
 * @since 0.1.0
 * @category models
 */
export interface Resumed {
  readonly _tag: "Resumed"
}

/**
 * The pool has other sizes from now on. What is beyond them closes as it comes back.
 *
 * @since 0.1.0
 * @category models
 */
export interface Resized {
  readonly _tag: "Resized"
  readonly min: number
  readonly max: number
  readonly keep: number
}

/**
 * The pool refuses borrows from now on, and lets those under way finish.
 *
 * @since 0.1.0
 * @category models
 */
export interface Draining {
  readonly _tag: "Draining"
}

/**
 * The last connection is closed; `cut` of them under running work.
 *
 * @since 0.1.0
 * @category models
 */
export interface Drained {
  readonly _tag: "Drained"
  readonly cut: number
}

/**
 * What happened to a connection, a borrow or the pool.
 *
 * @since 0.1.0
 * @category models
 */
export type PoolEvent =
  | Dialed
  | DialFailed
  | Acquired
  | Returned
  | Closed
  | Waited
  | TimedOut
  | Refused
  | Shed
  | Cancelled
  | Unavailable
  | NestedRefused
  | ClosedRefused
  | Revoked
  | Leaked
  | LeakReturned
  | Paused
  | Resumed
  | Resized
  | Draining
  | Drained
