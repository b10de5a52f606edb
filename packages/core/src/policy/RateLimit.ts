/**
 * Bounds how many calls begin in a time: evenly, with a burst after a pause. For a backend that allows so many calls a
 * second, and to share one fairly between tenants.
 *
 * It counts attempts, since it stands inside the retry: a backend's quota does. A call for which there is no room waits its
 * turn; one that would wait longer than it may is refused at once as `RateLimited`, with the time after which there is
 * room. An interrupted waiter leaves its place to those behind it.
 *
 * With `perKey` every key of an operation (a host, a tenant) has a limit of its own. Keys that have not been used for a while
 * are forgotten, which changes nothing for them; when as many as may be kept are in use, further keys share one limit.
 *
 * The limit is that of this process. Where several processes share a quota, `shared` has Effect's `persistence/RateLimiter`,
 * with its Redis store, count for all of them, at one round trip a call; a limit of `make` around it saves most of those.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RateLimiter } from "effect/persistence/RateLimiter"
import { remainingMillis } from "../internal/ambientDeadline.ts"
import * as validate from "../internal/validate.ts"
import { type Changes, merge } from "./internal/merge.ts"
import { type Call, type Change, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import { type Bucket, type Rate, RateState } from "./internal/rateState.ts"
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
  /**
   * A limit for each key of the operations (`Operation.key`), of at most `max`, by default 10,000, which take about a
   * megabyte; those without a key share one. Default: one limit for all.
   */
  readonly perKey?: { readonly max?: number | undefined } | undefined
}

/**
 * What `Policy.update` may change. A key has as many calls outstanding as before. Who waits comes the sooner or the later for
 * it, and is refused where that is now later than it may wait.
 *
 * @category models
 * @since 0.1.0
 */
export type Settable = Changes<Omit<Options, "perKey">>

interface Settings {
  readonly rate: Rate
  /** Milliseconds. */
  readonly maxWait: number
}

const settingsOf = (options: Omit<Options, "perKey">): Settings => {
  const limit = validate.integer("limit", options.limit, 1)
  return {
    rate: {
      spacing: validate.boundedMillis("interval", options.interval ?? "1 second") / limit,
      burst: validate.integer("burst", options.burst ?? limit, 1)
    },
    maxWait: validate.finiteMillis("maxWait", options.maxWait ?? "1 second")
  }
}

/** A call that waits: while others are before it for them, and as the first for its time. */
class Place {
  readonly call: Call
  /** Monotonic milliseconds. */
  readonly until: number
  /** Lets it go on, or look again when that is. */
  resume: ((effect: Effect.Effect<void>) => void) | undefined
  /** Set when the time for it has become too short. */
  refusal: Effect.Effect<never, PolicyError> | undefined

  constructor(call: Call, until: number) {
    this.call = call
    this.until = until
  }

  /** Until it is told to look again; the scheduler may have yielded since there was no reason to. */
  wait(isDue: () => boolean): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (isDue()) return resume(Effect.void)
      this.resume = resume
      return Effect.sync(() => void (this.resume = undefined))
    })
  }
}

class Limiter {
  readonly state: RateState<Place>
  private options: Omit<Options, "perKey">
  private maxWait: number
  private readonly perKey: boolean

  constructor({ perKey, ...options }: Options) {
    const { maxWait, rate } = settingsOf(options)
    this.options = options
    this.maxWait = maxWait
    this.perKey = perKey !== undefined
    this.state = new RateState(rate, validate.integer("perKey.max", perKey?.max ?? 10_000, 1))
  }

  update(changes: Settable): Change {
    const options = merge(this.options, changes)
    const { maxWait, rate } = settingsOf(options)
    return {
      apply: () => {
        this.options = options
        this.maxWait = maxWait
        this.state.rate = rate
        for (const bucket of this.state.waitedFor()) this.lookAgain(bucket)
      }
    }
  }

  around<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    return Effect.withFiber((fiber): Effect.Effect<A, E | PolicyError, R> => {
      const now = call.now()
      const bucket = this.state.bucket(this.keyOf(call), now)
      const delay = this.state.delay(bucket, bucket.waiters.size, now)
      if (delay <= 0 && bucket.waiters.size === 0) {
        this.state.take(bucket, now, false)
        return effect
      }
      if (delay > this.maxWait || delay >= remainingMillis(fiber.context)) return refuse(call, this.keyOf(call), delay)
      const until = now + Math.min(this.maxWait, remainingMillis(fiber.context))
      return Effect.andThen(this.wait(bucket, new Place(call, until)), effect)
    })
  }

  private wait(bucket: Bucket<Place>, place: Place): Effect.Effect<void, PolicyError> {
    const { call } = place
    const isFirst = () => bucket.waiters.values().next().value === place
    const look: Effect.Effect<void, PolicyError> = Effect.suspend(() => {
      if (place.refusal !== undefined) return place.refusal
      const { rate } = this.state
      const hasChanged = () => this.state.rate !== rate
      if (!isFirst()) return Effect.andThen(place.wait(() => isFirst() || hasChanged()), look)
      // Rounded up: a timer that cuts fractions off would wake too early.
      const delay = Math.ceil(this.state.delay(bucket, 0, call.now()))
      if (delay <= 0) return Effect.void
      return Effect.andThen(Effect.raceFirst(Effect.sleep(delay), place.wait(hasChanged)), look)
    })
    return Effect.onExitPrimitive(
      Effect.suspend(() => {
        bucket.waiters.add(place)
        this.state.waiting++
        return look
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
    const [next] = bucket.waiters
    // In a turn of its own: many whose time has come would otherwise go on one upon the other's stack.
    next?.resume?.(Effect.yieldNow)
  }

  /** The rate has changed for those who wait. */
  private lookAgain(bucket: Bucket<Place>): void {
    let ahead = 0
    for (const place of Array.from(bucket.waiters)) {
      if (place.refusal !== undefined) continue
      const now = place.call.now()
      const delay = this.state.delay(bucket, ahead, now)
      const isLate = now + delay > place.until
      // Whoever has been woken already, by one before it that was refused just now, finds it when it looks.
      if (isLate) place.refusal = refuse(place.call, this.keyOf(place.call), delay)
      else ahead++
      if (isLate || ahead === 1) place.resume?.(Effect.void)
    }
  }

  private keyOf({ operation }: Call): string | undefined {
    return this.perKey ? operation.key : undefined
  }
}

const refuse = (
  call: Call,
  key: string | undefined,
  delay: number
): Effect.Effect<never, PolicyError<RateLimited>> => {
  const retryAfter = Duration.millis(Math.max(0, delay))
  call.record("rateLimited", (common) => ({ ...common, _tag: "RateLimited", retryAfter }))
  return Effect.fail(
    new PolicyError<RateLimited>({ _tag: "RateLimited", operation: call.operation.name, key, retryAfter })
  )
}

const stage = (limiter: Limiter): Stage => ({
  kind: "RateLimit",
  around: (effect, call) => limiter.around(effect, call),
  update: (settings: Settable) => limiter.update(settings),
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

/**
 * A quota that several processes share.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedOptions {
  /** What the quota is called in the store: who uses the same name there shares it. */
  readonly name: string
  /** Calls in `interval`, of all processes together; as many may come at once after a pause. */
  readonly limit: number
  /** Default 1 second. */
  readonly interval?: Duration.Input | undefined
  /** How long a call waits at most, and never beyond the caller's deadline. Default 1 second. */
  readonly maxWait?: Duration.Input | undefined
  /** Whether each key of the operations has a quota of its own. Default: one for all. */
  readonly perKey?: boolean | undefined
  /** How long the store may take to answer. Default 100 milliseconds, a choice of ours. */
  readonly storeTimeout?: Duration.Input | undefined
}

interface Quota {
  /** Milliseconds until there is room in it; 0 when the call may begin, which then counts. */
  readonly ask: (key: string | undefined) => Effect.Effect<number>
  readonly keyOf: (call: Call) => string | undefined
  /** Milliseconds. */
  readonly maxWait: number
}

const quotaOf = (limiter: RateLimiter, options: SharedOptions): Quota => {
  const limit = validate.integer("limit", options.limit, 1)
  const window = validate.boundedMillis("interval", options.interval ?? "1 second")
  const storeTimeout = validate.boundedMillis("storeTimeout", options.storeTimeout ?? "100 millis")
  const consume = (key: string | undefined) =>
    limiter.consume({
      algorithm: "token-bucket",
      onExceeded: "fail",
      key: key === undefined ? options.name : `${options.name}:${key}`,
      limit,
      window
    })
  return {
    keyOf: ({ operation }) => options.perKey === true ? operation.key : undefined,
    maxWait: validate.finiteMillis("maxWait", options.maxWait ?? "1 second"),
    ask: (key) =>
      Effect.timeoutOrElse(Effect.as(consume(key), 0), { duration: storeTimeout, orElse: () => Effect.succeed(0) })
        .pipe(
          Effect.catch(({ reason }) =>
            // Rounded up, and never 0: the store would be asked again in the same moment.
            Effect.succeed(
              reason._tag === "RateLimitExceeded" ? Math.max(1, Math.ceil(Duration.toMillis(reason.retryAfter))) : 0
            )
          )
        )
  }
}

const admitted = (quota: Quota, call: Call, until: number): Effect.Effect<void, PolicyError<RateLimited>> => {
  const key = quota.keyOf(call)
  return Effect.flatMap(quota.ask(key), (delay) => {
    if (delay === 0) return Effect.void
    if (call.now() + delay > until) return refuse(call, key, delay)
    return Effect.andThen(Effect.sleep(delay), Effect.suspend(() => admitted(quota, call, until)))
  })
}

/**
 * A limit that a store counts for all processes that use it, over Effect's `persistence/RateLimiter`; put it inside a policy
 * with `Policy.compose`. A store that fails, or does not answer in time, lets calls through: a quota must not be what makes
 * the backend unreachable. A limit of this process around it holds then too. Who waits has no place in the store, so that of
 * those who wait any may be next. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const shared = (
  limiter: RateLimiter,
  options: SharedOptions
): Policy<PolicyError<RateLimited>, Operation, false> => {
  const quota = quotaOf(limiter, options)
  return fromStages("sharedRateLimit", [{
    kind: "RateLimit",
    around: (effect, call) =>
      Effect.withFiber((fiber) => {
        const until = call.now() + Math.min(quota.maxWait, remainingMillis(fiber.context))
        return Effect.andThen(admitted(quota, call, until), effect)
      })
  }])
}
