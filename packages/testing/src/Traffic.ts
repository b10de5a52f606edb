/**
 * Callers that come whether or not the earlier ones have been served ("open loop"), and what became of them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Distribution from "./Distribution.ts"
import * as Simulation from "./Simulation.ts"

/**
 * One call: when it began, how long it took, in milliseconds, and how it ended. `label` says what the caller makes of
 * that.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sample {
  readonly startedAt: number
  readonly took: number
  readonly ok: boolean
  readonly label: string
}

/**
 * When calls come, and what they are.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<E, R> {
  /** Calls a second at a moment, in seconds since the start. */
  readonly rate: (seconds: number) => number
  /** The highest that `rate` gives: calls are drawn at that rate and thinned out. */
  readonly peak: number
  /** For how long calls come, in seconds. Those under way then are waited for. */
  readonly seconds: number
  /** The `n`th call, counted from 0. */
  readonly call: (n: number) => Effect.Effect<unknown, E, R>
  /** What a call that failed counts as. Default: the `_tag` of its error's reason, or of its error. */
  readonly labelOf?: ((exit: Exit.Exit<unknown, E>) => string) | undefined
}

const tagOf = (value: unknown): string | undefined =>
  typeof value === "object" && value !== null && "_tag" in value ? String(value._tag) : undefined

const labelOfExit = (exit: Exit.Exit<unknown, unknown>): string => {
  if (exit._tag === "Success") return "ok"
  const [first] = exit.cause.reasons
  if (first?._tag !== "Fail") return first?._tag ?? "failed"
  const error: unknown = first.error
  const reason = typeof error === "object" && error !== null && "reason" in error ? tagOf(error.reason) : undefined
  return reason ?? tagOf(error) ?? "failed"
}

/**
 * Lets calls come as a Poisson process and waits for the last of them. The samples are in the order in which the calls
 * ended.
 *
 * @category running
 * @since 0.1.0
 */
export const poisson = <E, R>(options: Options<E, R>): Effect.Effect<ReadonlyArray<Sample>, never, R> =>
  Effect.gen(function*() {
    const time = yield* Simulation.time
    const random = yield* Random.Random
    const draw = () => random.nextDoubleUnsafe()
    const labelOf = options.labelOf ?? labelOfExit
    const gap = Distribution.exponential(1000 / options.peak)
    const samples: Array<Sample> = []
    const startedAt = time.now
    let begun = 0
    let idle: (() => void) | undefined
    const one = (n: number) => {
      const callAt = time.now
      return Effect.matchCause(Effect.exit(options.call(n)), {
        onFailure: () => undefined,
        onSuccess: (exit) => {
          samples.push({
            startedAt: callAt - startedAt,
            took: time.now - callAt,
            ok: exit._tag === "Success",
            label: labelOf(exit)
          })
          if (samples.length === begun) idle?.()
        }
      })
    }
    for (;;) {
      yield* Effect.sleep(gap(draw))
      const seconds = (time.now - startedAt) / 1000
      if (seconds >= options.seconds) break
      if (draw() * options.peak >= options.rate(seconds)) continue
      yield* Effect.forkDetach(Effect.suspend(() => one(begun++)))
    }
    if (samples.length < begun) {
      yield* Effect.callback<void>((resume) => {
        idle = () => resume(Effect.void)
      })
    }
    return samples
  })

/**
 * Milliseconds that a share of the successful calls did not exceed; `NaN` when none succeeded.
 *
 * @category measuring
 * @since 0.1.0
 */
export const percentile = (samples: Iterable<Sample>, share: number): number => {
  const took = Array.from(samples).filter((one) => one.ok).map((one) => one.took).toSorted((a, b) => a - b)
  return took.length === 0 ? NaN : took[Math.max(0, Math.ceil(share * took.length) - 1)]!
}

/**
 * Successful calls that ended between two moments, in seconds since the start, per second.
 *
 * @category measuring
 * @since 0.1.0
 */
export const goodput = (samples: Iterable<Sample>, from: number, to: number): number => {
  let count = 0
  for (const { ok, startedAt, took } of samples) {
    const endedAt = (startedAt + took) / 1000
    if (ok && endedAt >= from && endedAt < to) count++
  }
  return count / (to - from)
}

/**
 * The samples of calls that began between two moments, in seconds since the start.
 *
 * @category measuring
 * @since 0.1.0
 */
export const between = (samples: Iterable<Sample>, from: number, to: number): ReadonlyArray<Sample> =>
  Array.from(samples).filter(({ startedAt }) => startedAt >= from * 1000 && startedAt < to * 1000)
