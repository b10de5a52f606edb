/**
 * Holds calls back on our own side while the backend refuses or fails many of them: "client-side throttling" or "adaptive
 * throttling" of Google's Site Reliability Engineering, chapter "Handling Overload".
 *
 * Of the calls in the window it compares how many there were with how many the backend accepted, and holds back a share of
 *
 *     max(0, (requests - multiplier · accepts) / (requests + 1))
 *
 * so that an overloaded backend gets `multiplier` times as many calls as it accepts and no more, however many there are to
 * make. Each call counts when it begins, those held back too. Interruptions and refusals on our own side do not count.
 *
 * Two things are added to the published formula. The share is capped, since after an outage as long as the window nothing
 * would be let through that could show its end. And the last parts of the window, a twentieth of it, must say the same as
 * the whole of it: what is remembered of an outage does not hold back the calls to a backend that has come back.
 *
 * A throttle over several hosts looks at each by itself with `perKey`: one that refuses must not hold back the calls to the
 * others.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as validate from "../internal/validate.ts"
import { Keyed, type PerKey } from "./internal/keyed.ts"
import { merge } from "./internal/merge.ts"
import { type Call, type Change, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import type { ThrottleWindow } from "./internal/snapshot.ts"
import { type Part, type Settings, ThrottleState } from "./internal/throttleState.ts"
import type { Operation } from "./Operation.ts"
import * as Outcome from "./Outcome.ts"
import { PolicyError, type Throttled } from "./PolicyError.ts"

export type { PerKey } from "./internal/keyed.ts"
export type { ThrottleWindow } from "./internal/snapshot.ts"

/**
 * How much is held back, and from what it is known.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Calls sent for each one accepted, when more are to be made. Default 2: every accepted call comes with one refused. The
   * lower, the less a backend has to refuse, and the later an end of its overload is seen. Default and window are those of
   * Google's Site Reliability Engineering.
   */
  readonly multiplier?: number | undefined
  /** How long is looked back on; longer than the slowest calls take. Default 2 minutes. */
  readonly window?: Duration.Input | undefined
  /** The largest share held back, at least 0 and below 1. Default 0.9, as in failsafe-go. */
  readonly maxShare?: number | undefined
  /**
   * A window for each key of the operations (`Operation.key`), of at most 1,000 by default; those without a key share one.
   * Default: one window for all.
   */
  readonly perKey?: PerKey | undefined
  /** How the exit of a call counts. Default: `Outcome.fromExit`. */
  readonly classify?: Outcome.Classifier | undefined
}

/**
 * What `Policy.update` may change. What the window holds is kept; with a longer one it is not forgotten as soon.
 *
 * @category models
 * @since 0.1.0
 */
export type Settable = Pick<Options, "multiplier" | "window" | "maxShare">

const numberFrom = (option: string, value: number, isAllowed: boolean, allowed: string): number =>
  isAllowed ? value : validate.refuse(option, value, allowed)

const settingsOf = ({ maxShare = 0.9, multiplier = 2, window = "2 minutes" }: Settable): Settings => ({
  multiplier: numberFrom(
    "multiplier",
    multiplier,
    multiplier >= 1 && multiplier < Infinity,
    "a number of 1 or more"
  ),
  window: validate.boundedMillis("window", window),
  maxShare: numberFrom("maxShare", maxShare, maxShare >= 0 && maxShare < 1, "a number of at least 0 and below 1")
})

class Throttle {
  private options: Options
  private settings: Settings
  private readonly classify: Outcome.Classifier
  /** Of the calls without a key. */
  private readonly common: ThrottleState
  private readonly keyed: Keyed<ThrottleState> | undefined

  constructor(options: Options) {
    this.options = options
    this.settings = settingsOf(options)
    this.classify = options.classify ?? Outcome.fromExit
    this.common = new ThrottleState(this.settings)
    if (options.perKey !== undefined) this.keyed = Keyed.from(options.perKey, () => new ThrottleState(this.settings))
  }

  update(changes: Settable): Change {
    const options = merge(this.options, changes)
    const settings = settingsOf(options)
    return {
      apply: () => {
        this.options = options
        this.settings = settings
        for (const state of this.all()) state.settings = settings
      }
    }
  }

  get snapshot(): ThrottleWindow {
    const all = this.all()
    return {
      requests: all.reduce((sum, { requests }) => sum + requests, 0),
      accepts: all.reduce((sum, { accepts }) => sum + accepts, 0)
    }
  }

  private all(): ReadonlyArray<ThrottleState> {
    return this.keyed === undefined ? [this.common] : [this.common, ...this.keyed.values()]
  }

  private stateOf(call: Call): ThrottleState {
    const { key } = call.operation
    return this.keyed === undefined || key === undefined ? this.common : this.keyed.get(key, call)
  }

  around<A, E, R>(effect: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> {
    return Effect.suspend(() => {
      const state = this.stateOf(call)
      let part: Part | undefined
      // The finalizer goes on the stack before the call is counted: an interrupt in between must find it.
      return Effect.onExitPrimitive(
        Effect.withFiber((fiber): Effect.Effect<A, E | PolicyError, R> => {
          const now = call.now()
          const share = state.share(now)
          const begun = state.begin(now)
          if (share > 0 && Context.get(fiber.context, Random.Random).nextDoubleUnsafe() < share) {
            return this.holdBack(call, state, share)
          }
          part = begun
          return effect
        }),
        (exit) => part === undefined ? undefined : this.settle(state, part, exit)
      )
    })
  }

  private settle(state: ThrottleState, part: Part, exit: Exit.Exit<unknown, unknown>): undefined {
    const outcome = this.classify(exit)
    if (outcome._tag === "Success") state.accept(part)
    else if (Outcome.tellsNothing(outcome)) state.undo(part)
    return undefined
  }

  private holdBack(
    call: Call,
    { accepts, requests }: ThrottleState,
    share: number
  ): Effect.Effect<never, PolicyError<Throttled>> {
    const { key, name } = call.operation
    const error = new PolicyError<Throttled>({
      _tag: "Throttled",
      operation: name,
      ...this.keyed !== undefined && key !== undefined && { key },
      share,
      requests,
      accepts
    })
    call.record("throttled", (common) => ({ ...common, _tag: "Throttled", share }))
    return Effect.fail(error)
  }
}

const stage = (throttle: Throttle): Stage => ({
  kind: "Throttle",
  around: (effect, call) => throttle.around(effect, call),
  snapshot: () => ({ throttle: throttle.snapshot }),
  update: (settings: Settable) => throttle.update(settings)
})

/**
 * A throttle of its own, shared by all calls through the policy. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Policy<PolicyError<Throttled>, Operation, false> =>
  fromStages("throttle", [stage(new Throttle(options))])
