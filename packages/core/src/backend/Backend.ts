/**
 * What every pooled backend shows to those who watch and steer it: health checks, dashboards, the shutdown of the
 * process. The backend packages make one each and register it in `Backends`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as Policy from "../policy/Policy.ts"
import type { PolicyEvent } from "../policy/PolicyEvent.ts"
import type * as Pool from "../pool/Pool.ts"
import type { PoolError } from "../pool/PoolError.ts"
import type { PoolEvent } from "../pool/PoolEvent.ts"
import type { Profile } from "./Profile.ts"

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
  /** Whose values are its defaults; none where no profile was given. */
  readonly profile?: Profile | undefined
  readonly stats: Effect.Effect<Pool.Stats>
  /** Makes a round trip, bounded in time. Never fails: what went wrong is in the answer. */
  readonly health: Effect.Effect<Health>
  /** Reads the counts, without waiting for anything: metrics read them too. */
  readonly policy: Effect.Effect<Policy.Snapshot>
  readonly events: Stream.Stream<PoolEvent | PolicyEvent>
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
    const since = clock.monotonicTimeNanosUnsafe()
    const failure = yield* roundTrip.pipe(
      Effect.timeout(ROUND_TRIP_LIMIT),
      Effect.match({ onFailure: (error) => ({ error }), onSuccess: () => undefined })
    )
    const latency = Duration.millis(Number(clock.monotonicTimeNanosUnsafe() - since) / 1e6)
    return failure === undefined ? { status: "healthy", latency } : { status: "unhealthy", latency, ...failure }
  })
