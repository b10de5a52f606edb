/**
 * Stops calling a backend that fails, and tries it again with a few calls before it trusts it.
 *
 * It counts attempts, not calls: it stands inside the retry, so that an open circuit ends a retry at once. What says
 * nothing about the backend (`Ignored`: an interruption, a full queue, the caller's deadline) is not counted, and frees
 * the probe that it was. Nor is a call that a pool holds off while its server is out of reach: the pool is a breaker
 * itself, looks for the server on its own, and two in a row would be found closed one after the other. A rejection is
 * one shared error until the state changes.
 *
 * It stays open for a tenth of the time that the outage has lasted, or little more: a short outage costs few calls after
 * its end, and a long one few probes. A rejection says when to come back.
 *
 * A breaker over several hosts keeps a circuit for each with `perKey`: one sick host must not close the way to the others.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { monotonicMillis } from "../internal/ambientDeadline.ts"
import * as Backoff from "../internal/backoff.ts"
import { EventHub } from "../internal/eventHub.ts"
import * as validate from "../internal/validate.ts"
import type { Mode, Settings, Time } from "./internal/breakerState.ts"
import { Circuit, LEAST_OPEN, type Shared, timed, type Transition } from "./internal/circuit.ts"
import { Keyed, type PerKey } from "./internal/keyed.ts"
import type { Guard } from "./internal/layers.ts"
import { merge } from "./internal/merge.ts"
import { type Call, type Change, fromStages, implOf, type Policy, type Stage } from "./internal/policy.ts"
import type { CircuitState } from "./internal/snapshot.ts"
import type { Operation } from "./Operation.ts"
import * as Outcome from "./Outcome.ts"
import type { CircuitOpen, PolicyError } from "./PolicyError.ts"

export type { Mode } from "./internal/breakerState.ts"
export type { Transition } from "./internal/circuit.ts"
export type { PerKey } from "./internal/keyed.ts"
export type { CircuitState } from "./internal/snapshot.ts"

/**
 * When it opens, and how it closes again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Attempts looked back on: so many of the last, or those of the last so long. Default 100, as in resilience4j and Polly.
   * A window by time forgets a tenth of itself at once.
   */
  readonly window?: number | { readonly last: Duration.Input } | undefined
  /**
   * Attempts that must be in the window before a share of them counts. Default 20, or the whole window where that is
   * less: fewer say too little of a share of one half.
   */
  readonly minimumCalls?: number | undefined
  /** Share of failures at which it opens, above 0 and at most 1. Default 0.5, as in resilience4j and opossum. */
  readonly failureRate?: number | undefined
  /**
   * Opens by slowness too, where the work of so large a share of the attempts took `after` or longer, however it ended.
   * Default: no; how slow is too slow only you can say. `rate` is 1 unless given, as in resilience4j.
   */
  readonly slowCall?: { readonly after: Duration.Input; readonly rate?: number | undefined } | undefined
  /** Opens after so many failures in a row too, whatever `minimumCalls` is. Default: no. */
  readonly consecutive?: number | undefined
  /**
   * How long it rejects before it lets calls through again: the same each time, or by a schedule that begins anew once it
   * has closed. Where the probes hang, others are let through after as long again. Default: `growing`. A server that is
   * overloaded and asks for longer gets it.
   */
  readonly openFor?: Duration.Input | Schedule.Schedule<unknown> | undefined
  /**
   * Calls let through when half-open; it closes if the shares of failures and of slow calls among them are below those at
   * which it opens. Default 3, or the whole window where that is less: a choice of ours; one may fail by chance.
   */
  readonly halfOpenCalls?: number | undefined
  /**
   * A circuit for each key of the operations (`Operation.key`), of at most 1,000 by default; those without a key share
   * one. Default: one circuit for all.
   */
  readonly perKey?: PerKey | undefined
  /** Who decides at first. Default: `"automatic"`. */
  readonly mode?: Mode | undefined
  /** How the exit of an attempt counts. Default: `Outcome.fromExit`. */
  readonly classify?: Outcome.Classifier | undefined
}

/**
 * What `Policy.update` may change.
 *
 * @category models
 * @since 0.1.0
 */
export type Settable = Omit<Options, "classify" | "perKey" | "mode">

const share = (option: string, value: number): number =>
  value > 0 && value <= 1 ? value : validate.refuse(option, value, "a number above 0 and at most 1")

/**
 * 100 milliseconds at first, each time 9 % longer, up to 5 seconds (the constant of Polly's breaker). Such a time is a
 * share of 0.09 of all before it, so that whoever is back after ten seconds or more is found within a tenth of its
 * absence, at the price of three probes each time.
 *
 * @category schedules
 * @since 0.1.0
 */
export const growing: Schedule.Schedule<Duration.Duration> = Schedule.exponential("100 millis", 1.09).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(5))))
)

const openForOf = (openFor: Options["openFor"]): Schedule.Schedule<unknown> => {
  if (openFor === undefined) return growing
  return Schedule.isSchedule(openFor) ? openFor : Schedule.spaced(validate.duration("openFor", openFor))
}

const windowOf = (window: Options["window"]): Settings["window"] =>
  typeof window === "object"
    ? { millis: validate.boundedMillis("window.last", window.last) }
    : validate.integer("window", window ?? 100, 1)

const settingsOf = (options: Options): Settings => {
  const window = windowOf(options.window)
  const most = typeof window === "number" ? window : undefined
  const atMost = (n: number) => Math.min(n, most ?? n)
  return {
    window,
    minimumCalls: validate.integer("minimumCalls", options.minimumCalls ?? atMost(20), 1, most),
    failureRate: share("failureRate", options.failureRate ?? 0.5),
    slowRate: options.slowCall === undefined ? Infinity : share("slowCall.rate", options.slowCall.rate ?? 1),
    consecutive: options.consecutive === undefined
      ? Infinity
      : validate.integer("consecutive", options.consecutive, 1),
    permits: validate.integer("halfOpenCalls", options.halfOpenCalls ?? atMost(3), 1, most)
  }
}

const sharedOf = (options: Options): Shared => ({
  settings: settingsOf(options),
  classify: options.classify ?? Outcome.fromExit,
  slowAfter: options.slowCall === undefined
    ? Infinity
    : validate.boundedMillis("slowCall.after", options.slowCall.after),
  openFor: Backoff.make(openForOf(options.openFor), LEAST_OPEN)
})

const MODES = ["automatic", "forcedOpen", "metricsOnly", "disabled"] as const

const RANK = { closed: 0, "half-open": 1, open: 2 }

class Breaker {
  hub: EventHub<Transition> | undefined
  private mode: Mode
  private shared: Shared
  private options: Options
  private readonly keyed: Keyed<Circuit> | undefined
  /** Of the calls without a key. */
  private readonly common: Circuit

  constructor(options: Options) {
    this.options = options
    this.shared = sharedOf(options)
    this.mode = validate.oneOf("mode", options.mode ?? "automatic", MODES)
    this.common = this.circuit(undefined)
    if (options.perKey !== undefined) this.keyed = Keyed.from(options.perKey, (key) => this.circuit(key))
  }

  readonly guard: Guard = {
    admit: (passage) => this.mode === "disabled" ? undefined : this.circuitOf(passage.call).admit(passage),
    decide: (call) => this.mode === "disabled" ? undefined : this.circuitOf(call).decide(call)
  }

  inside<A, E, R>(work: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E, R> {
    return this.shared.slowAfter === Infinity ? work : timed(work, call)
  }

  command(mode: Mode, time: Time): void {
    this.mode = mode
    for (const circuit of this.all()) circuit.command(mode, time)
  }

  update(settings: Settable): Change {
    const options = merge(this.options, settings)
    const { openFor } = this.shared
    const shared = { ...sharedOf(options), ...settings.openFor === undefined && { openFor } }
    return {
      apply: () => {
        this.options = options
        this.shared = shared
        for (const circuit of this.all()) circuit.configure(shared)
      }
    }
  }

  probe(time: Time): void {
    for (const circuit of this.all()) circuit.probe(time)
  }

  reset(key: string | undefined, time: Time): void {
    const only = key === undefined ? undefined : this.keyed?.peek(key)
    for (const circuit of key === undefined ? this.all() : only === undefined ? [] : [only]) circuit.reset(time)
  }

  all(): ReadonlyArray<Circuit> {
    return this.keyed === undefined ? [this.common] : [this.common, ...this.keyed.values()]
  }

  /** The worst of all circuits. */
  get snapshot(): CircuitState {
    return this.all().map((circuit) => circuit.snapshot).reduce((a, b) => RANK[b.state] > RANK[a.state] ? b : a)
  }

  private circuitOf(call: Call): Circuit {
    const { key } = call.operation
    return this.keyed === undefined || key === undefined ? this.common : this.keyed.get(key, call)
  }

  private circuit(key: string | undefined): Circuit {
    return new Circuit(this.shared, key, this.mode, (transition) => this.hub?.publish?.(transition))
  }
}

const stage = (breaker: Breaker): Stage => ({
  kind: "CircuitBreaker",
  part: breaker,
  update: (settings: Settable) => breaker.update(settings),
  guard: breaker.guard,
  inside: (work, call) => breaker.inside(work, call),
  snapshot: () => ({ circuit: breaker.snapshot })
})

/**
 * A breaker with a state of its own, shared by all calls through the policy. Throws a `RangeError` for options out of
 * range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Policy<PolicyError<CircuitOpen>, Operation, false> =>
  fromStages("breaker", [stage(new Breaker(options))])

const breakersOf = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>
): ReadonlyArray<Breaker> => implOf(policy).stages.flatMap(({ part }) => part instanceof Breaker ? [part] : [])

const onBreakers = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>,
  act: (breaker: Breaker, time: Time) => void
): Effect.Effect<void> =>
  Effect.clockWith((clock) =>
    Effect.sync(() => {
      for (const breaker of breakersOf(policy)) act(breaker, { now: () => monotonicMillis(clock) })
    })
  )

/**
 * Puts every circuit of a policy under command:
 * - `"forcedOpen"`: lets nothing through, until told otherwise
 * - `"metricsOnly"`: lets everything through and counts it, to see what it would do
 * - `"disabled"`: lets everything through and counts nothing
 * - `"automatic"`: decides by itself, from closed on where it was not
 *
 * @category combinators
 * @since 0.1.0
 */
export const setMode = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>,
  mode: Mode
): Effect.Effect<void> => onBreakers(policy, (breaker, time) => breaker.command(mode, time))

/**
 * Has the circuits of a policy that are open try the backend with their next calls, rather than when their time is over:
 * for who has found out that it is back, such as a pool that could not dial it for a while. What the calls come to
 * decides, as ever. A time that the server itself has asked for is kept, and so is the command to stay open.
 *
 * @category combinators
 * @since 0.1.0
 */
export const probe = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>
): Effect.Effect<void> => onBreakers(policy, (breaker, time) => breaker.probe(time))

/**
 * Closes the circuits of a policy and forgets what they counted: all of them, or the one of a key. Attempts under way do
 * not count. A circuit that is forced open stays so.
 *
 * @category combinators
 * @since 0.1.0
 */
export const reset = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>,
  key?: string
): Effect.Effect<void> => onBreakers(policy, (breaker, time) => breaker.reset(key, time))

/**
 * The circuits of a policy as they are now, each with the key it is for; `undefined` is the key of what has none.
 *
 * @category getters
 * @since 0.1.0
 */
export const circuits = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>
): ReadonlyArray<readonly [key: string | undefined, circuit: CircuitState]> =>
  breakersOf(policy).flatMap((breaker) => breaker.all().map(({ key, snapshot }) => [key, snapshot] as const))

/**
 * Every change of the circuits of a policy, from the moment of listening on, whichever policy they are composed into.
 * The stream does not end by itself.
 *
 * @category getters
 * @since 0.1.0
 */
export const transitions = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>
): Stream.Stream<Transition> =>
  Stream.mergeAll(
    breakersOf(policy).map((breaker) =>
      Stream.unwrap(Effect.map(EventHub.make<Transition>(), (fresh) => (breaker.hub ??= fresh).stream))
    ),
    { concurrency: "unbounded" }
  )
