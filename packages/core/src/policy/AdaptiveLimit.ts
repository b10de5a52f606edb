/**
 * Bounds how many calls run at once by a number that it finds by itself: as many as keep the backend busy, and few more.
 *
 * A backend that is given more than it can do at once lets the rest wait, so that its answers are late and no more of them
 * come. This policy compares how long calls take, from their permit on, with how long they take when the backend has no
 * queue, and keeps the limit where both are near each other. What is too much waits here for a moment, the rest is refused
 * as `LimitExceeded`.
 *
 * The latency without a queue is learned from calls that begin while half of the limit or less is used, and when there
 * are none for long, from probes: for a moment only half of the limit is let through. While the backend is overloaded it
 * is believed up to ten times what it was before, so that a time-out that always takes as long is not taken for health.
 *
 * A call that got no answer in time (`AttemptTimeout`, a `TimeoutError`, the caller's deadline passed) counts as dropped,
 * and so does an overload that the backend reports. Other failures, interruptions and refusals on our own side say nothing
 * about latency and change nothing: a backend that fails quickly is for a breaker, one that rejects for a throttle.
 *
 * Gotchas: it assumes that latency grows with what this caller sends. Where others overload the same backend, each keeps
 * the share it has. A program whose calls differ a lot (a lookup and a report) had better use one policy for each kind.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { AmbientDeadline } from "../internal/ambientDeadline.ts"
import * as validate from "../internal/validate.ts"
import { Gate, Turn } from "./internal/gate.ts"
import { type Ending, type LimitSettings, LimitState, type Probe, type Sample } from "./internal/limitState.ts"
import { merge } from "./internal/merge.ts"
import { type Call, type Change, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import type { Operation } from "./Operation.ts"
import * as Outcome from "./Outcome.ts"
import { isPolicyError, type LimitExceeded, PolicyError } from "./PolicyError.ts"

export type { AdaptiveLimitState } from "./internal/snapshot.ts"

/**
 * What an algorithm decides from: a window of time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Window {
  /** Calls at once; a fraction is kept between windows and not used. */
  readonly limit: number
  /** Mean milliseconds of the calls that were answered, from their permit on; `Infinity` when none was. */
  readonly latency: number
  /** Mean milliseconds of a call while the backend has no queue. */
  readonly unloaded: number
  /** Share of the calls that got no answer in time, or were told that there is too much. */
  readonly dropShare: number
}

/**
 * Finds the next limit. It is asked after a window in which most calls found no permit or some were dropped; the limit then
 * changes by a factor of two at most, and upwards only when most calls found no permit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Algorithm {
  readonly next: (window: Window) => number
  /** Whether it looks at `unloaded`, so that probes are worth what they cost. */
  readonly usesUnloaded: boolean
}

/**
 * How far the limit goes, and how many calls wait for how long.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Calls at once: at first, at least and at most. Defaults 20, 1 and 1,000, of which the first and the last are those of
   * Netflix' concurrency-limits. For a pooled backend `max` is the size of its pool.
   */
  readonly limit?: {
    readonly initial?: number | undefined
    readonly min?: number | undefined
    readonly max?: number | undefined
  } | undefined
  /** Calls that may wait; beyond them a call is refused at once. Default 1,000, as a pool's. */
  readonly queue?: number | undefined
  /**
   * How long a call waits at most. Default 1 second. It is less where waiting is of little use: twice the latency without
   * a queue (100 milliseconds at least); and while the backend is overloaded half of it (20 milliseconds at least), the
   * newest call first. Found by simulation.
   */
  readonly maxWait?: Duration.Input | undefined
  /** How long is looked back on at once. Default 1 second, as in Netflix' concurrency-limits. */
  readonly window?: Duration.Input | undefined
  /** Default `gradient`. */
  readonly algorithm?: Algorithm | undefined
  /** How the exit of a call counts. Default: `Outcome.fromExit`. */
  readonly classify?: Outcome.Classifier | undefined
}

/**
 * What `Policy.update` may change. The limit goes on from where it is, at the nearest that `limit` allows, with the latency
 * that has been learned. A call that waits keeps its wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settable extends Pick<Options, "queue" | "maxWait" | "window" | "algorithm"> {
  readonly limit?: { readonly min?: number | undefined; readonly max?: number | undefined } | undefined
}

/**
 * What keeps the backend busy, by the ratio of the latency without a queue to that of now, plus its square root for what
 * comes unevenly (the headroom of Netflix' `Gradient2Limit`, and of square-root staffing).
 *
 * @category algorithms
 * @since 0.1.0
 */
export const gradient: Algorithm = {
  usesUnloaded: true,
  next: ({ dropShare, latency, limit, unloaded }) => {
    const busy = limit * Math.min(1, unloaded / latency) * (1 - dropShare)
    return busy + Math.sqrt(busy)
  }
}

/**
 * TCP Vegas: keeps the number of calls that wait at the backend between three and six times log₁₀ of the limit, by steps
 * of that logarithm (as Netflix' `VegasLimit`).
 *
 * @category algorithms
 * @since 0.1.0
 */
export const vegas: Algorithm = {
  usesUnloaded: true,
  next: ({ dropShare, latency, limit, unloaded }) => {
    const step = Math.max(1, Math.log10(limit))
    const waiting = limit * (1 - Math.min(1, unloaded / latency))
    if (dropShare > 0 || waiting > 6 * step) return limit - step
    return waiting < 3 * step ? limit + step : limit
  }
}

/**
 * Additive increase, multiplicative decrease, as TCP Reno: one call more, or a tenth less when calls were dropped or took
 * longer than `latency` on average. Needs a bound that you know; it sees no queue below it.
 *
 * Throws a `RangeError` unless `latency` is finite and longer than zero.
 *
 * @category algorithms
 * @since 0.1.0
 */
export const aimd = (options: { readonly latency: Duration.Input }): Algorithm => {
  const most = validate.boundedMillis("latency", options.latency)
  return {
    usesUnloaded: false,
    next: ({ dropShare, latency, limit }) => dropShare > 0 || latency > most ? limit * 0.9 : limit + 1
  }
}

/** Milliseconds that a wait may take in any case: shorter ones save nobody. */
const SHORTEST_WAIT = 100
const SHORTEST_WAIT_OVERLOADED = 20

const noAnswer = (exit: Exit.Exit<unknown, unknown>): boolean =>
  exit._tag === "Failure" &&
  exit.cause.reasons.some((reason) => {
    if (reason._tag !== "Fail") return false
    const { error } = reason
    if (!isPolicyError(error)) return Cause.isTimeoutError(error)
    return error.reason._tag === "AttemptTimeout" || error.reason._tag === "DeadlineExceeded"
  })

class LimitTurn extends Turn implements Sample {
  startedAt = 0
  unloaded = false
  probe: Probe | undefined
  /** Monotonic milliseconds. */
  readonly deadlineAt: number

  constructor(gate: AdaptiveGate, call: Call, deadlineAt: number) {
    super(gate, call)
    this.deadlineAt = deadlineAt
  }
}

interface Settings extends LimitSettings {
  readonly queue: number
  /** Milliseconds. */
  readonly maxWait: number
}

const settingsOf = (options: Settable): Settings => {
  const min = validate.integer("limit.min", options.limit?.min ?? 1, 1)
  return {
    min,
    max: validate.integer("limit.max", options.limit?.max ?? Math.max(1000, min), min),
    window: validate.boundedMillis("window", options.window ?? "1 second"),
    algorithm: options.algorithm ?? gradient,
    queue: validate.integer("queue", options.queue ?? 1000, 0),
    maxWait: validate.boundedMillis("maxWait", options.maxWait ?? "1 second")
  }
}

class AdaptiveGate extends Gate<LimitTurn> {
  readonly state: LimitState
  private options: Settable
  private settings: Settings
  private readonly classify: Outcome.Classifier

  constructor(options: Options) {
    super()
    this.options = options
    this.settings = settingsOf(options)
    const { max, min } = this.settings
    const initial = options.limit?.initial ?? Math.min(Math.max(20, min), max)
    this.state = new LimitState(this.settings, validate.integer("limit.initial", initial, min, max))
    this.classify = options.classify ?? Outcome.fromExit
  }

  update(changes: Settable): Change {
    const limit = merge(this.options.limit ?? {}, changes.limit ?? {})
    const options = { ...merge(this.options, changes), limit }
    const settings = settingsOf(options)
    return {
      apply: () => {
        this.options = options
        this.settings = settings
        this.state.configure(settings)
        this.serve()
      }
    }
  }

  get permits(): number {
    return this.state.permits
  }

  protected get queue(): number {
    return this.settings.queue
  }

  protected turn(call: Call, context: Context.Context<never>): LimitTurn {
    return new LimitTurn(this, call, Context.get(context, AmbientDeadline))
  }

  private get isOverloaded(): boolean {
    return this.state.isOverloaded || this.isStanding
  }

  protected maxWait(): number {
    const { baseline } = this.state
    const unloaded = baseline.isKnown ? baseline.millis : 0
    const useful = this.isOverloaded
      ? Math.max(SHORTEST_WAIT_OVERLOADED, unloaded / 2)
      : Math.max(SHORTEST_WAIT, unloaded * 2)
    return Math.min(this.settings.maxWait, useful)
  }

  protected newestFirst(): boolean {
    return this.isOverloaded
  }

  protected override arrived(blocked: boolean): void {
    this.state.arrived(blocked)
  }

  protected override granted(turn: LimitTurn): void {
    this.state.started(turn, this.running, turn.call.now())
  }

  protected override returned(turn: LimitTurn, exit: Exit.Exit<unknown, unknown>): void {
    const before = this.state.permits
    const now = turn.call.now()
    this.state.ended(turn, this.endingOf(turn, exit, now), now)
    const { permits } = this.state
    if (permits === before) return
    turn.call.record(undefined, (common) => ({ ...common, _tag: "LimitChanged", from: before, to: permits }))
  }

  private endingOf(turn: LimitTurn, exit: Exit.Exit<unknown, unknown>, now: number): Ending {
    const outcome = this.classify(exit)
    if (outcome._tag === "Success") return "answered"
    const late = outcome._tag === "Ignored" && outcome.sent !== "no" && now >= turn.deadlineAt
    return outcome._tag === "Overload" || late || noAnswer(exit) ? "dropped" : "unknown"
  }

  protected refuse(call: Call): Effect.Effect<never, PolicyError<LimitExceeded>> {
    const error = new PolicyError<LimitExceeded>({
      _tag: "LimitExceeded",
      operation: call.operation.name,
      limit: this.permits,
      waiting: this.waiters.size
    })
    call.record("limitRefused", (common) => ({ ...common, _tag: "LimitRefused" }))
    return Effect.fail(error)
  }
}

const stage = (gate: AdaptiveGate): Stage => ({
  kind: "AdaptiveLimit",
  guard: gate.guard,
  update: (settings: Settable) => gate.update(settings),
  snapshot: () => {
    const { baseline } = gate.state
    return {
      adaptiveLimit: {
        limit: gate.permits,
        running: gate.running,
        waiting: gate.waiters.size,
        unloaded: baseline.isKnown ? Duration.millis(baseline.millis) : undefined
      }
    }
  }
})

/**
 * A limit of its own, shared by all calls through the policy. Of those that wait the highest priority comes first, and
 * within a priority the keys of the operations take turns. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Policy<PolicyError<LimitExceeded>, Operation, false> =>
  fromStages("adaptiveLimit", [stage(new AdaptiveGate(options))])
