/**
 * Bounds one attempt, from the moment its work begins: in a pooled backend from after the borrow, so that time spent in
 * the queue does not count.
 *
 * When it passes, the work is interrupted and its interruption awaited; on a connection of a pool that can `cancel`, it
 * is cancelled first, and 100 ms later the connection is closed, so that the interruption ends. Whether the backend
 * acted on it is unknown then, hence a retry repeats it only when the operation is idempotent.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { GiveUp } from "../internal/giveUp.ts"
import * as validate from "../internal/validate.ts"
import { limited } from "./internal/limited.ts"
import { type Call, fromStages, type Policy, RetryScope, type Stage } from "./internal/policy.ts"
import type { Operation } from "./Operation.ts"
import { type AttemptTimeout, PolicyError } from "./PolicyError.ts"

const timedOut = (call: Call, timeout: Duration.Duration) =>
  Effect.withFiber((fiber) => {
    const attempt = Context.get(fiber.context, RetryScope)?.attempt ?? 1
    const error = new PolicyError<AttemptTimeout>({
      _tag: "AttemptTimeout",
      operation: call.operation.name,
      timeout,
      attempt,
      sent: "unknown"
    })
    call.record("attemptTimeouts", (common) => ({
      ...common,
      _tag: "AttemptTimedOut",
      attempt,
      timeout
    }))
    return Effect.fail(error)
  })

const within = <A, E, R>(
  limit: Duration.Duration,
  work: Effect.Effect<A, E, R>,
  call: Call
): Effect.Effect<A, E | PolicyError, R> =>
  Effect.withFiber((fiber) => {
    // Of a lease that the work runs on; before the work is interrupted, which may wait for an answer that never comes.
    const giveUp = Context.get(fiber.context, GiveUp)
    // The fiber that runs `work` has what it requires.
    const context = fiber.context as Context.Context<R>
    return limited(work, context, {
      duration: limit,
      passed: giveUp === call.outerGiveUp ? undefined : giveUp,
      orElse: () => timedOut(call, limit)
    })
  })

const stage = (initial: Duration.Duration): Stage => {
  let current = initial
  return {
    kind: "Timeout",
    get limit() {
      return current
    },
    update: (duration: Duration.Input) => {
      const next = validate.duration("timeout", duration)
      return { limit: next, apply: () => void (current = next) }
    },
    inside: (work, call) => within(current, work, call)
  }
}

/**
 * Fails an attempt that has not ended within `duration` as `AttemptTimeout`.
 *
 * Throws a `RangeError` unless `duration` is finite and longer than zero, and shorter than the deadline that it is
 * composed with.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (duration: Duration.Input): Policy<PolicyError<AttemptTimeout>, Operation, false> =>
  fromStages("timeout", [stage(validate.duration("timeout", duration))])
