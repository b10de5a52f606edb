/**
 * The numbers of a pool. Reading them is O(1).
 *
 * @since 0.1.0
 */

/**
 * Two identities hold at every moment. Connections: `idle + used + opening + checking + closing <= max`, after a `resize`
 * to fewer as soon as what is too many has come back and closed. Borrows: those begun are `acquired + timedOut + refused +
 * shed + cancelled + unavailable + nested + refusedClosed` and those that still wait.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Open, and ready to be lent. */
  readonly idle: number
  /** Lent. */
  readonly used: number
  /** Being dialled. */
  readonly opening: number
  /** Idle ones being checked before they are lent. */
  readonly checking: number
  /** Being closed; each holds its slot until the close has ended. */
  readonly closing: number
  /** Borrows in the queue. */
  readonly waiting: number
  readonly min: number
  readonly max: number
  readonly keep: number
  /** Connections opened since the pool was made. */
  readonly opened: number
  /** Connections closed, or closing, since the pool was made. */
  readonly closed: number
  /** Borrows served. */
  readonly acquired: number
  /** The part of `acquired` that got a connection used before. */
  readonly reused: number
  /** The part of `acquired` that lost the connection while using it. */
  readonly revoked: number
  readonly timedOut: number
  /** Borrows refused because `wait.maxWaiting` were waiting. */
  readonly refused: number
  /** Borrows turned away because the pool was overloaded, with `wait.codel` only. */
  readonly shed: number
  /** Borrows whose caller was interrupted while waiting. */
  readonly cancelled: number
  /** Borrows failed because the server cannot be reached. */
  readonly unavailable: number
  /** Borrows refused because they ran inside another one, as `wait.nested` says. */
  readonly nested: number
  /** Borrows refused because the pool was draining or closed. */
  readonly refusedClosed: number
}

/** @internal */
export const zeroCounts = () => ({
  acquired: 0,
  reused: 0,
  revoked: 0,
  timedOut: 0,
  refused: 0,
  shed: 0,
  cancelled: 0,
  unavailable: 0,
  nested: 0,
  refusedClosed: 0
})

/** How borrows ended. */
export type Counts = ReturnType<typeof zeroCounts>

/**
 * The numbers of a pool that has done nothing: for backends that count some of them only.
 *
 * @since 0.1.0
 * @category constructors
 */
export const emptyStats: Stats = {
  idle: 0,
  used: 0,
  opening: 0,
  checking: 0,
  closing: 0,
  waiting: 0,
  min: 0,
  max: 0,
  keep: 0,
  opened: 0,
  closed: 0,
  ...zeroCounts()
}
