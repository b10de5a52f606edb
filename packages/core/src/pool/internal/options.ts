/**
 * The options of a pool, checked once and resolved to plain numbers.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Activity } from "../../internal/activity.ts"
import { boundedMillis, integer, oneOf, periodMillis, refuse, share, unboundedMillis } from "../../internal/validate.ts"
import type { Nested } from "./lineage.ts"

/**
 * When the first connections are opened: with the first borrow (`lazy`); at once, without waiting for them
 * (`background`); or before `make` returns, which then fails if one cannot be opened (`fail-fast`).
 *
 * @since 0.1.0
 * @category models
 */
export type Start = "lazy" | "background" | "fail-fast"

/**
 * Controlled delay, for pools that may be asked for more than they can give: when borrows have waited without a break for
 * `interval`, those that have waited for longer than twice the `target` fail as `Shed`, so that the others are served
 * soon rather than everybody too late.
 *
 * A `target` below a few times the mean hold divided by `size.max` sheds on chance crowds; `interval` is how long a burst
 * may last. 50 milliseconds and half a second suit statements of a few milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface CoDel {
  /** Half of the longest time for which a served borrow waited once the pool is overloaded. */
  readonly target: Duration.Input
  /** At least `target`. */
  readonly interval: Duration.Input
}

/**
 * How connections are opened, how many, and how long anybody waits.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<A, E, R> {
  /** Appears in errors, events and statistics. */
  readonly name: string
  /**
   * Opens a connection; closing its scope closes it. What it fails with becomes the `cause` of a `PoolError`. Interrupted
   * when `dial.timeout` is over; until it has ended it holds its slot. What waits for a server should therefore be
   * interruptible, which inside `Effect.acquireRelease` it is with the option `interruptible` only.
   */
  readonly acquire: Effect.Effect<A, E, R | Scope.Scope>
  readonly size: {
    /** Connections kept open. Default 0. */
    readonly min?: number | undefined
    /** Never more than this many are open, being opened, or being closed. */
    readonly max: number
    /** Beyond this many a connection closes on return when nobody waits. At least 1 and `min`; default `max`. */
    readonly keep?: number | undefined
  }
  /** Default `background`. */
  readonly start?: Start | undefined
  readonly wait?: {
    /** The deadline of a borrow, whatever it waits for; an earlier one of the caller's counts. Default 10 seconds. */
    readonly timeout?: Duration.Input | undefined
    /** Beyond this many waiting borrows the next is refused at once. At least 1; default 1,000. */
    readonly maxWaiting?: number | undefined
    /** What to do about a queue that does not empty: see `CoDel`. Default false. */
    readonly codel?: CoDel | false | undefined
    /** Whether borrows fail at once while the server is down, or wait for their deadline. Default true. */
    readonly failFast?: boolean | undefined
    /** What becomes of a borrow inside another one of this pool. Default `"deadlock"`. */
    readonly nested?: Nested | undefined
    /** A connection held longer is closed under the work, which fails as `Revoked`. Default: held as long as it takes. */
    readonly maxHold?: Duration.Input | undefined
  } | undefined
  readonly dial?: {
    /** Limit of one dial. Default 5 seconds. */
    readonly timeout?: Duration.Input | undefined
    /** Dials at once, reached from one by one more with every success. Default 2. */
    readonly concurrency?: number | undefined
    /** Delays after failed dials in a row; at least 10 ms each. Default: at random, 100 ms to 100, 200, 400, 500 ms. */
    readonly backoff?: Schedule.Schedule<unknown> | undefined
  } | undefined
  readonly lifetime?: {
    /**
     * A connection is replaced when it is this old, less a part of `jitter`; one in use when it comes back. Default 30
     * minutes, as HikariCP; `Infinity` for never.
     */
    readonly max?: Duration.Input | undefined
    /** What nobody used for this long closes, down to `size.min`. Default 2 minutes; `Infinity` for never. */
    readonly idle?: Duration.Input | undefined
    /** The share of `max`, 0 to 1, over which the ends of connections opened together are spread. Default 0.1. */
    readonly jitter?: number | undefined
  } | undefined
  readonly check?: {
    /** Says by succeeding that a connection that has been idle may be lent. What it needs comes with `acquire`. */
    readonly test?: ((item: A) => Effect.Effect<unknown, unknown>) | undefined
    /** Connections used this recently are lent without a test. Default 500 ms. */
    readonly skipWithin?: Duration.Input | undefined
    /**
     * What has been idle for this long since its last proof is tested in the background, `dial.concurrency` at once.
     * Default 30 seconds, as PgBouncer; `Infinity` for never.
     */
    readonly keepalive?: Duration.Input | undefined
    /** Limit of one test. Default 1 second. */
    readonly timeout?: Duration.Input | undefined
    /** Asked at every borrow and return, so it must be cheap. */
    readonly isAlive?: ((item: A) => boolean) | undefined
  } | undefined
  /**
   * Makes a connection that comes back as good as new, before anybody else has it: rolls back, say. What it needs comes
   * with `acquire`. A failure closes the connection, and so does `check.timeout`. Default: nothing is done.
   */
  readonly onReturn?: ((item: A) => Effect.Effect<unknown, unknown>) | undefined
  /**
   * Stops at the server what runs on a connection whose borrower was interrupted. Then the interruption is not waited
   * for: this runs in the background, and 100 ms later at the latest the connection is closed under the work. At most
   * `dial.concurrency` run at once; beyond that the connection is closed at once. Seen are the
   * interruption of the whole borrow, and the timeout of a policy inside it. Default: the borrower's interruption waits until the
   * work has ended, and the connection is used again.
   */
  readonly cancel?: ((item: A) => Effect.Effect<void>) | undefined
  /**
   * Where a connection keeps count of what runs on it. With it `Pool.detail` and the metrics tell for how much of its hold
   * nothing did. Asked at every return, so it must be cheap. Default: that is not known.
   */
  readonly activity?: ((item: A) => Activity) | undefined
  readonly leak?: {
    /** Held for longer than this, a borrow is named by the event `Leaked`. Default: none is. */
    readonly after: Duration.Input
  } | undefined
}

/**
 * How one borrow waits, and what it is called.
 *
 * @since 0.1.0
 * @category models
 */
export interface UseOptions {
  /** The highest is served first, always: a busy high priority starves the lower ones. Default 0. */
  readonly priority?: number | undefined
  /** Within a priority, keys (tenants, say) take turns, and each is served in order of arrival. */
  readonly key?: string | undefined
  /** In place of `wait.timeout`. */
  readonly timeout?: Duration.Input | undefined
  /** Names the borrow in the errors of those who wait for it. */
  readonly label?: string | undefined
}

/** How many connections, every default resolved. */
export type Size = Pick<Settings<never>, "min" | "max" | "keep">

/** Times in milliseconds. */
export interface CoDelSettings {
  readonly target: number
  readonly interval: number
}

/** Times in milliseconds. */
export interface Settings<A> {
  readonly name: string
  /** These three change with `Pool.resize`. */
  min: number
  max: number
  keep: number
  readonly start: Start
  readonly waitTimeout: number
  readonly maxWaiting: number
  readonly codel: CoDelSettings | undefined
  readonly failFast: boolean
  readonly maxHold: number
  readonly dialTimeout: number
  readonly dialConcurrency: number
  readonly backoff: Schedule.Schedule<unknown> | undefined
  readonly test: ((item: A) => Effect.Effect<unknown, unknown>) | undefined
  /** `Infinity` where there is no `test`. */
  readonly skipWithin: number
  /** `Infinity` where there is nothing to ask. */
  readonly keepalive: number
  readonly checkTimeout: number
  readonly onReturn: ((item: A) => Effect.Effect<unknown, unknown>) | undefined
  readonly cancel: ((item: A) => Effect.Effect<void>) | undefined
  readonly lifetime: number
  readonly idleTimeout: number
  readonly jitter: number
  /** Never throws. */
  readonly isAlive: (item: A) => boolean
  /** For how much of its lease, between two instants, nothing ran on it. Never throws. */
  readonly heldIdle: ((item: A, since: number, until: number) => number) | undefined
  readonly nested: Nested
  readonly leakAfter: number
}

const alwaysAlive = () => true

const orDead = <A>(isAlive: (item: A) => boolean) => (item: A): boolean => {
  try {
    return isAlive(item)
  } catch {
    return false
  }
}

const orNone = <A>(activity: (item: A) => Activity) => (item: A, since: number, until: number): number => {
  try {
    return activity(item).idle(since, until)
  } catch {
    return 0
  }
}

const resolveCoDel = (codel: CoDel): CoDelSettings => {
  const target = boundedMillis("wait.codel.target", codel.target)
  const interval = boundedMillis("wait.codel.interval", codel.interval)
  if (interval < target) refuse("wait.codel.interval", codel.interval, "a duration of wait.codel.target or more")
  return { target, interval }
}

/** The names in errors begin with `prefix`. */
export const resolveSize = (prefix: string, size: Options<never, never, never>["size"]): Size => {
  const max = integer(`${prefix}max`, size.max, 1)
  const min = integer(`${prefix}min`, size.min ?? 0, 0, max)
  return { min, max, keep: integer(`${prefix}keep`, size.keep ?? max, Math.max(1, min), max) }
}

export const resolve = <A, E, R>(options: Options<A, E, R>): Settings<A> => {
  const { check, dial, lifetime, wait } = options
  return {
    name: options.name,
    ...resolveSize("size.", options.size),
    start: oneOf("start", options.start ?? "background", ["lazy", "background", "fail-fast"]),
    waitTimeout: boundedMillis("wait.timeout", wait?.timeout ?? "10 seconds"),
    maxWaiting: integer("wait.maxWaiting", wait?.maxWaiting ?? 1000, 1),
    codel: wait?.codel === undefined || wait.codel === false ? undefined : resolveCoDel(wait.codel),
    failFast: wait?.failFast ?? true,
    maxHold: wait?.maxHold === undefined ? Infinity : periodMillis("wait.maxHold", wait.maxHold),
    dialTimeout: boundedMillis("dial.timeout", dial?.timeout ?? "5 seconds"),
    dialConcurrency: integer("dial.concurrency", dial?.concurrency ?? 2, 1),
    backoff: dial?.backoff,
    test: check?.test,
    skipWithin: check?.test === undefined
      ? Infinity
      : unboundedMillis("check.skipWithin", check.skipWithin ?? "500 millis"),
    keepalive: check?.test === undefined && check?.isAlive === undefined
      ? Infinity
      : periodMillis("check.keepalive", check.keepalive ?? "30 seconds"),
    checkTimeout: boundedMillis("check.timeout", check?.timeout ?? "1 second"),
    onReturn: options.onReturn,
    cancel: options.cancel,
    lifetime: periodMillis("lifetime.max", lifetime?.max ?? "30 minutes"),
    idleTimeout: periodMillis("lifetime.idle", lifetime?.idle ?? "2 minutes"),
    jitter: share("lifetime.jitter", lifetime?.jitter ?? 0.1),
    isAlive: check?.isAlive === undefined ? alwaysAlive : orDead(check.isAlive),
    heldIdle: options.activity && orNone(options.activity),
    nested: oneOf("wait.nested", wait?.nested ?? "deadlock", ["deadlock", "fail", "allow"]),
    leakAfter: options.leak === undefined ? Infinity : boundedMillis("leak.after", options.leak.after)
  }
}
