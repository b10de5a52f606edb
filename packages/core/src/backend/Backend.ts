/**
 * What every pooled backend shows to those who watch and steer it: health checks, dashboards, the shutdown of the
 * process. The backend packages make one each and register it in `Backends`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Stream from "effect/Stream"
import { monotonicMillis } from "../internal/ambientDeadline.ts"
import type * as CircuitBreaker from "../policy/CircuitBreaker.ts"
import type * as Policy from "../policy/Policy.ts"
import type { PolicyEvent } from "../policy/PolicyEvent.ts"
import * as Pool from "../pool/Pool.ts"
import type { Holder, PoolError } from "../pool/PoolError.ts"
import type { PoolEvent } from "../pool/PoolEvent.ts"
import type { Activity } from "./Activity.ts"
import * as Histogram from "./Histogram.ts"
import type { Profile } from "./Profile.ts"
import type { Override } from "./Setting.ts"
import type { Situation } from "./Sizing.ts"

/**
 * The answer of one round trip to the server. `error` is why there was none.
 *
 * @since 0.1.0
 * @category models
 */
export type Health =
  | { readonly status: "healthy"; readonly latency: Duration.Duration }
  | { readonly status: "unhealthy"; readonly latency: Duration.Duration; readonly error: unknown }

/**
 * What a backend tells beyond its numbers, to who looks into it. What it does not measure is missing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Detail {
  /** Since it was made. */
  readonly times: {
    /** How long borrows waited for a connection. */
    readonly wait?: Histogram.Snapshot | undefined
    /** How long they held it. */
    readonly use?: Histogram.Snapshot | undefined
    /** For how much of that nothing ran on it. */
    readonly heldIdle?: Histogram.Snapshot | undefined
    /** How long dials took. */
    readonly create?: Histogram.Snapshot | undefined
    /** How long the server took for what it was asked, from the moment a connection was there. */
    readonly operation?: Histogram.Snapshot | undefined
  }
  /** Who has held a connection the longest, at most five, the oldest first. */
  readonly holders: ReadonlyArray<Holder>
  /** How many of the operations, that `times.operation` counts, failed. */
  readonly failures?: number | undefined
  /** What the last dial that failed said, also where others have succeeded since. */
  readonly lastError: Pool.LastError | undefined
}

/**
 * What only some kinds of backends have, and may be long. What it does not have is missing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Particulars {
  /** The origins that requests went to of late: how many hold a connection of each, and how many may. */
  readonly origins?: { readonly max: number; readonly used: Readonly<Record<string, number>> } | undefined
  /** What the driver has found: the kind of deployment in its words, and the addresses of the servers that answer. */
  readonly topology?: { readonly type: string; readonly servers: ReadonlyArray<string> } | undefined
  /** Of the connections of peers. */
  readonly ids?: ReadonlyArray<string> | undefined
}

/**
 * How long anything of a backend may take. What it has no limit of is missing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits extends Policy.Limits {
  /** A borrow's wait for a connection. */
  readonly wait?: Duration.Duration | undefined
  readonly dial?: Duration.Duration | undefined
}

/**
 * How to steer the circuit breaker of a backend; with a circuit for each host or key, all of them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Breaker {
  /** As `CircuitBreaker.setMode`; for circuits that come later, too. */
  readonly setMode: (mode: CircuitBreaker.Mode) => Effect.Effect<void>
  /** As `CircuitBreaker.reset`. */
  readonly reset: Effect.Effect<void>
}

/**
 * What a backend shows of itself, and how to steer it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Backend {
  /** The name its owner gave it; two backends may have the same. */
  readonly name: string
  /** What it is a backend of: `postgres`, `redis`, … */
  readonly kind: string
  /** Whether the process is not ready without it. */
  readonly critical: boolean
  /** What it is among several of its kind: `replica`, a region. Default `primary`. */
  readonly poolType?: string | undefined
  /** Whose values are its defaults; none where no profile was given. */
  readonly profile?: Profile | undefined
  /** The settings that are not as the profile has them: what they are, and what they would be. */
  readonly overrides?: ReadonlyArray<Override> | undefined
  /** Those in force. */
  readonly limits?: Limits | undefined
  /** Does not wait, nor do `policy` and `detail`: metrics are read from them. */
  readonly stats: Effect.Effect<Pool.Stats>
  /** Makes a round trip, bounded in time. Never fails: what went wrong is in the answer. */
  readonly health: Effect.Effect<Health>
  /** Reads the counts, without waiting for anything: metrics read them too. */
  readonly policy: Effect.Effect<Policy.Snapshot>
  /**
   * As `Policy.update`, on the policies of its calls: those that it has, and those that it will make. State, and calls under
   * way, stay. `limits` follows. Nothing changes where anything is refused: throws a `RangeError` as `Policy.update` does,
   * for a part that it was made without, too. Missing where its calls have no policy.
   */
  readonly update?: ((changes: Policy.Update) => void) | undefined
  /** Missing where it has none. */
  readonly breaker?: Breaker | undefined
  readonly events: Stream.Stream<PoolEvent | PolicyEvent>
  /** As `events`, without what happens to single borrows and calls, which do no work for who listens to it. */
  readonly changes?: Stream.Stream<PoolEvent | PolicyEvent> | undefined
  /** Asks no server. Missing where there is nothing to tell beyond `stats`. */
  readonly detail?: Effect.Effect<Detail> | undefined
  /** Asks no server either. Missing where there is none of it. */
  readonly particulars?: Effect.Effect<Particulars> | undefined
  /** What is known of the server and of other processes like this one, for `Sizing`. Asks no server. Missing: nothing. */
  readonly situation?: Effect.Effect<Pick<Situation, "server" | "deployment">> | undefined
  /** As `Pool.warm`, `Pool.clear` and `Pool.drain`. */
  readonly warm: Effect.Effect<void, PoolError>
  readonly clear: (options?: { readonly interrupt?: boolean | undefined }) => Effect.Effect<void>
  readonly drain: (deadline: Duration.Input) => Effect.Effect<Pool.DrainReport>
  /**
   * As `Pool.pause` and `Pool.resume`: the server can be restarted in between, and no call fails. Missing where no call
   * borrows a connection, as with websockets: each of theirs lives for as long as its two ends want it.
   */
  readonly pause?: Effect.Effect<void> | undefined
  readonly resume?: Effect.Effect<void> | undefined
}

/**
 * What of a backend over one pool is the pool's: its numbers, its events, and how to steer it. What it is called, its
 * health and its policies come from the backend, as does what it has to add to any of these.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofPool = <A>(
  pool: Pool.Pool<A>
): Pick<Backend, "stats" | "events" | "changes" | "detail" | "warm" | "clear" | "drain" | "pause" | "resume"> => ({
  stats: Pool.stats(pool),
  events: Pool.events(pool),
  changes: Pool.changes(pool),
  detail: Pool.detail(pool),
  warm: Pool.warm(pool),
  clear: (options) => Pool.clear(pool, options),
  drain: (deadline) => Pool.drain(pool, deadline),
  pause: Pool.pause(pool),
  resume: Pool.resume(pool)
})

/**
 * What a backend keeps of the operations that it sends to its server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Operations {
  readonly times: Histogram.Histogram
  /** Those that failed; one that was given up counts in the times only. */
  failures: number
}

/**
 * Of a backend that has sent none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeOperations = (): Operations => ({ times: Histogram.make(Histogram.operationBounds), failures: 0 })

/**
 * Counts an effect as an operation, and how long it takes; with `activity` also as what runs on that connection.
 *
 * @since 0.1.0
 * @category measuring
 */
export const measured = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  operations: Operations,
  activity?: Activity
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const clock = fiber.getRef(Clock.Clock)
    const since = monotonicMillis(clock)
    activity?.begin(since)
    return Effect.onExitPrimitive(self, (exit) => {
      const now = monotonicMillis(clock)
      activity?.end(now)
      operations.times.record(now - since)
      if (Exit.isFailure(exit) && !Exit.hasInterrupts(exit)) operations.failures++
      return undefined
    })
  })

const ROUND_TRIP_LIMIT = Duration.seconds(1)

/**
 * The health that a round trip to the server shows, which may take a second. Never fails.
 *
 * @since 0.1.0
 * @category constructors
 */
export const probe = <R>(roundTrip: Effect.Effect<unknown, unknown, R>): Effect.Effect<Health, never, R> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const since = monotonicMillis(clock)
    const failure = yield* roundTrip.pipe(
      Effect.timeout(ROUND_TRIP_LIMIT),
      Effect.match({ onFailure: (error) => ({ error }), onSuccess: () => undefined })
    )
    const latency = Duration.millis(monotonicMillis(clock) - since)
    return failure === undefined ? { status: "healthy", latency } : { status: "unhealthy", latency, ...failure }
  })
