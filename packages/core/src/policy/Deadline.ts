/**
 * Bounds a whole call: its waits for a connection, its attempts and the delays between them.
 *
 * The deadline travels in the context. What is called within inherits it, nested deadlines take the minimum, and a pool
 * bounds its own waits by it. When it passes, the work is interrupted and its interruption awaited, so that nothing is
 * left holding a connection; making that prompt is left to the backends.
 *
 * Work that outlives the call, such as a fiber forked as a daemon, inherits the deadline too: fork it in
 * `Policy.detached`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { AmbientDeadline, remainingMillis } from "../internal/ambientDeadline.ts"
import * as validate from "../internal/validate.ts"
import { limited } from "./internal/limited.ts"
import { type Call, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import type { Operation } from "./Operation.ts"
import { type DeadlineExceeded, PolicyError } from "./PolicyError.ts"

const exceeded = (call: Call, startedAt: number, granted: Duration.Duration, attempts: number) => {
  const error = new PolicyError<DeadlineExceeded>({
    _tag: "DeadlineExceeded",
    operation: call.operation.name,
    deadline: granted,
    elapsed: Duration.millis(call.now() - startedAt),
    attempts,
    sent: call.sent,
    ...call.lastFailure && { cause: call.lastFailure.error }
  })
  call.record("deadlinesExceeded", (common) => ({
    ...common,
    _tag: "DeadlineExceeded",
    deadline: granted,
    attempts
  }))
  return Effect.fail(error)
}

/**
 * Milliseconds. An inherited deadline is for whoever set it to report: the timer here comes after that one, whatever
 * the runtime's timers are off by, and only matters to work that has outlived the call it was inherited from.
 */
const INHERITED_GRACE = 100

const stage = (initial: Duration.Duration): Stage => {
  let limit = initial
  return {
    kind: "Deadline",
    get limit() {
      return limit
    },
    update: (duration: Duration.Input) => {
      const next = validate.duration("deadline", duration)
      return { limit: next, apply: () => void (limit = next) }
    },
    around: <A, E, R>(effect: Effect.Effect<A, E, R>, call: Call) =>
      Effect.withFiber((fiber) => {
        const now = call.now()
        const millis = Duration.toMillis(limit)
        call.startedAt ??= now
        const inherited = Context.get(fiber.context, AmbientDeadline)
        if (inherited <= now) {
          call.policy.counts.unstarted++
          return exceeded(call, now, Duration.zero, call.attempts - 1)
        }
        const own = now + millis <= inherited
        const granted = own ? limit : Duration.millis(inherited - now)
        // The fiber that runs what requires R holds it.
        const context = fiber.context as Context.Context<R>
        return limited(effect, Context.add(context, AmbientDeadline, own ? now + millis : inherited), {
          duration: own ? limit : Duration.millis(Math.ceil(inherited - now) + INHERITED_GRACE),
          orElse: () => exceeded(call, now, granted, call.attempts)
        })
      })
  }
}

/**
 * Fails a call that has not ended within `duration` as `DeadlineExceeded`, or earlier where the context holds an
 * earlier deadline. A deadline already past fails the call before its first attempt.
 *
 * Throws a `RangeError` unless `duration` is finite and longer than zero.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (duration: Duration.Input): Policy<PolicyError<DeadlineExceeded>, Operation, false> =>
  fromStages("deadline", [stage(validate.duration("deadline", duration))])

/**
 * What is left of the deadline of the context: zero when it has passed, infinite when there is none. For what bounds
 * work elsewhere, such as a statement timeout at a server or a header of a request.
 *
 * @category getters
 * @since 0.1.0
 */
export const remaining: Effect.Effect<Duration.Duration> = Effect.withFiber((fiber) => {
  const millis = remainingMillis(fiber.context)
  return Effect.succeed(millis === Infinity ? Duration.infinity : Duration.millis(Math.max(0, millis)))
})
