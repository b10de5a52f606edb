/**
 * Bounds how many calls begin in a time: evenly, with a burst after a pause. For a backend that allows so many calls a
 * second, and to share one fairly between tenants.
 *
 * It counts attempts, since it stands inside the retry: a backend's quota does. A call for which there is no room waits its
 * turn; one that would wait longer than it may is refused at once as `RateLimited`, with the time after which there is
 * room. An interrupted waiter leaves its place to those behind it.
 *
 * With `perKey` every key of an operation (a host, a tenant) has a limit of its own. At most `maxKeys` are kept; those that
 * have not been used for a while are forgotten first, which changes nothing for them, and when all are in use further keys
 * share one limit.
 *
 * The limit is that of this process. Where several processes share a quota, Effect's `persistence/RateLimiter` with its
 * Redis store counts for all of them, for one round trip a call; this one in front of it saves most of those.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { remainingMillis } from "../internal/ambientDeadline.ts"
import * as validate from "../internal/validate.ts"
import { type Call, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import { type Bucket, RateState } from "./internal/rateState.ts"
import type { Operation } from "./Operation.ts"
import { PolicyError, type RateLimited } from "./PolicyError.ts"

export type { RateLimitState } from "./internal/snapshot.ts"

/**
 * How many calls in which time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Calls in `interval`. */
  readonly limit: number
  /** Default 1 second. */
  readonly interval?: Duration.Input | undefined
  /** Calls that may come at once after a pause. Default: `limit`, so that the first interval may have all of them at once. */
  readonly burst?: number | undefined
  /** How long a call waits at most, and never beyond the caller's deadline. Default 1 second, as a bulkhead's. */
  readonly maxWait?: Duration.Input | undefined
  /** Whether every key of the operations has a limit of its own. Default: no. */
  readonly perKey?: boolean | undefined
  /** Keys that are kept. Default 10,000: about a megabyte. */
  readonly maxKeys?: number | undefined
}

/** A call that waits. `next` is set while others are before it, and resumes it as the first. */
interface Place {
  next: (() => void) | undefined
}

class Limiter {
  readonly state: RateState<Place>
  private readonly maxWait: number
  private readonly perKey: boolean

  constructor(options: Options) {
    const limit = validate.integer("limit", options.limit, 1)
    this.state = new RateState({
      spacing: validate.boundedMillis("interval", options.interval ?? "1 second") / limit,
      burst: validate.integer("burst", options.burst ?? limit, 1),
      maxKeys: validate.integer("maxKeys", options.maxKeys ?? 10_000, 1)
    })
    this.maxWait = validate.finiteMillis("maxWait", options.maxWait ?? "1 second")
    this.perKey = options.perKey ?? false
  }

  around<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    return Effect.withFiber((fiber): Effect.Effect<A, E | PolicyError, R> => {
      const now = call.now()
      const bucket = this.state.bucket(this.perKey ? call.operation.key : undefined, now)
      const delay = this.state.delay(bucket, bucket.waiters.size, now)
      if (delay <= 0 && bucket.waiters.size === 0) {
        this.state.take(bucket, now, false)
        return effect
      }
      if (delay > this.maxWait || delay >= remainingMillis(fiber.context)) return this.refuse(call, delay)
      return Effect.andThen(this.wait(bucket, call), effect)
    })
  }

  private wait(bucket: Bucket<Place>, call: Call): Effect.Effect<void> {
    const place: Place = { next: undefined }
    const first = Effect.callback<void>((resume) => {
      if (bucket.waiters.size === 1) return resume(Effect.void)
      place.next = () => {
        place.next = undefined
        // In a turn of its own: many whose time has come would otherwise go on one upon the other's stack.
        resume(Effect.yieldNow)
      }
      return undefined
    })
    const timeCome = Effect.suspend(() => {
      // Rounded up: a timer that cuts fractions off would wake too early.
      const delay = Math.ceil(this.state.delay(bucket, 0, call.now()))
      return delay > 0 ? Effect.sleep(delay) : Effect.void
    })
    return Effect.onExitPrimitive(
      Effect.suspend(() => {
        bucket.waiters.add(place)
        this.state.waiting++
        return Effect.andThen(first, timeCome)
      }),
      (exit) => {
        if (exit._tag === "Success") this.state.take(bucket, call.now(), true)
        this.leave(bucket, place)
        return undefined
      }
    )
  }

  private leave(bucket: Bucket<Place>, place: Place): void {
    if (!bucket.waiters.delete(place)) return
    this.state.waiting--
    for (const { next } of bucket.waiters) {
      next?.()
      return
    }
  }

  private refuse(call: Call, delay: number): Effect.Effect<never, PolicyError<RateLimited>> {
    const error = new PolicyError<RateLimited>({
      _tag: "RateLimited",
      operation: call.operation.name,
      key: this.perKey ? call.operation.key : undefined,
      retryAfter: Duration.millis(Math.max(0, delay))
    })
    call.record("rateLimited", (common) => ({ ...common, _tag: "RateLimited", retryAfter: error.reason.retryAfter }))
    return Effect.fail(error)
  }
}

const stage = (limiter: Limiter): Stage => ({
  kind: "RateLimit",
  around: (effect, call) => limiter.around(effect, call),
  snapshot: () => ({ rateLimit: { keys: limiter.state.keys, waiting: limiter.state.waiting } })
})

/**
 * A limit of its own, shared by all calls through the policy. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Policy<PolicyError<RateLimited>, Operation, false> =>
  fromStages("rateLimit", [stage(new Limiter(options))])
