/**
 * What is done around a call to a backend so that it bears failures: a deadline, retries, a timeout of each attempt.
 *
 * `make` assembles policies in the right order, `compose` in an order of your own, and `run` applies one. `run` is
 * given the call as a function of `attempt`: what is written inside `attempt` is the work of one attempt, and what is
 * around it, such as borrowing a connection, lies outside of it.
 *
 * ```ts
 * import { Operation, Policy } from "@breakwater/core"
 * import { Effect } from "effect"
 *
 * const policy = Policy.make({ deadline: "5 seconds", timeout: "1 second", retry: { times: 2 } })
 * const read = Operation.make("greeting.read", { idempotent: true })
 *
 * let calls = 0
 * const flaky = Effect.suspend(() => ++calls === 1 ? Effect.fail("connection lost") : Effect.succeed("hello"))
 *
 * // With a pool: (attempt) => Pool.use(pool, (connection) => attempt(work(connection)))
 * console.log(await Effect.runPromise(Policy.run(policy, read, (attempt) => attempt(flaky)))) // => hello
 * console.log(Policy.snapshot(policy).attempts) // => 2
 * ```
 *
 * Policies know no pool. What an error means comes from the backend, as a classifier or carried by the error.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Fiber from "effect/Fiber"
import { dual, identity } from "effect/Function"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { AmbientDeadline, monotonicMillis } from "../internal/ambientDeadline.ts"
import { EventHub } from "../internal/eventHub.ts"
import { attributes } from "../internal/metricNames.ts"
import * as Metrics from "../internal/metrics.ts"
import { within } from "../internal/validate.ts"
import * as AdaptiveLimit from "./AdaptiveLimit.ts"
import * as Bulkhead from "./Bulkhead.ts"
import * as Chaos from "./Chaos.ts"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import * as Deadline from "./Deadline.ts"
import * as Hedge from "./Hedge.ts"
import { settings } from "./internal/config.ts"
import { layered } from "./internal/layers.ts"
import { seriesOf } from "./internal/metrics.ts"
import {
  Call,
  fromStages,
  implOf,
  type Policy,
  type PolicyImpl,
  RetryScope,
  type Stage,
  TypeId
} from "./internal/policy.ts"
import { type Snapshot, snapshotOf } from "./internal/snapshot.ts"
import * as Updates from "./internal/update.ts"
import type { Operation } from "./Operation.ts"
import type * as Outcome from "./Outcome.ts"
import type {
  AttemptTimeout,
  BulkheadFull,
  CircuitOpen,
  DeadlineExceeded,
  FaultInjected,
  LimitExceeded,
  PolicyError,
  RateLimited,
  Throttled
} from "./PolicyError.ts"
import type { PolicyEvent } from "./PolicyEvent.ts"
import * as RateLimit from "./RateLimit.ts"
import * as Recover from "./Recover.ts"
import * as Retry from "./Retry.ts"
import * as Throttle from "./Throttle.ts"
import * as Timeout from "./Timeout.ts"

export type { Policy } from "./internal/policy.ts"
export { bestEffort, read, standard, write } from "./internal/presets.ts"
export { addCounts, type Snapshot } from "./internal/snapshot.ts"
export { mergeUpdates, type Part, type Update } from "./internal/update.ts"

/**
 * Settings of `make`. What is left out is not done.
 *
 * One name for each policy, in the order in which they are applied, outermost first: there are more than a handful, but a
 * group around some of them would hide the order and be one word more wherever a policy is made. What a policy is set to is
 * a group under its name.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Groups {
  /** Names the policy in its events. Default: `"policy"`. */
  readonly name?: string | undefined
  /** Bounds the whole call: its waits, its attempts and the delays between them. */
  readonly deadline?: Duration.Input | undefined
  /** Bounds one attempt, from the moment its work begins. Shorter than `deadline`. */
  readonly timeout?: Duration.Input | undefined
  /** How the exit of an attempt counts. Default: `Outcome.fromExit`. */
  readonly classify?: Outcome.Classifier | undefined
}

/**
 * The policies that are set by more than a time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Groups {
  /** Holds calls back while the backend accepts too few of them. */
  readonly throttle?: Omit<Throttle.Options, "classify"> | undefined
  /** Repeats failed attempts where that is safe: see `Retry.whenSafe`. */
  readonly retry?: Omit<Retry.Options, "classify"> | undefined
  /** Asks a second time where the first attempt is slow: see `Hedge.whenSafe`. Not beside a retry. */
  readonly hedge?: Omit<Hedge.Options, "classify"> | undefined
  /** Clears away what is broken before the next attempt, once for all callers. */
  readonly recover?: Recover.Options | undefined
  /** Stops calling a backend that fails. */
  readonly breaker?: Omit<CircuitBreaker.Options, "classify"> | undefined
  /** Bounds how many attempts begin in a time. */
  readonly rateLimit?: RateLimit.Options | undefined
  /** Bounds how many attempts run at once by what the backend bears. In place of a bulkhead. */
  readonly adaptiveLimit?: Omit<AdaptiveLimit.Options, "classify"> | undefined
  /** Bounds how many attempts run at once. A pooled backend needs none: its pool does. */
  readonly bulkhead?: Bulkhead.Options | undefined
  /** Breaks attempts on purpose, for tests. */
  readonly chaos?: Chaos.Options | undefined
}

/** What a setting would have to be that does not exist: its name may be misspelt. */
interface NoSuchSetting {
  readonly "there is no setting of this name": never
}

type Known<T, Shape> = { readonly [K in keyof T]: K extends keyof Shape ? unknown : NoSuchSetting }

type IsSet<O extends Options, K extends keyof Options> = K extends keyof O ? [O[K]] extends [undefined] ? false : true
  : false

// Whether it is there in any case, as far as types know.
type Always<O extends Options, K extends keyof Options> = IsSet<O, K> extends true
  ? undefined extends O[K] ? false : true
  : false

// The settings, or why there must be none.
type KnownGroup<O extends Options, K extends keyof Groups> = K extends "hedge"
  ? RepeatsOnce<Always<O, "retry">, Always<O, "hedge">> extends infer Why extends string ? Why
  : Known<O[K], NonNullable<Groups[K]>>
  : Known<O[K], NonNullable<Groups[K]>>

/**
 * Refuses settings that do not exist, a misspelt one for instance.
 *
 * @category models
 * @since 0.1.0
 */
export type KnownOptions<O extends Options> = {
  readonly [K in keyof O]: K extends keyof Groups ? KnownGroup<O, K> | undefined
    : K extends keyof Options ? unknown
    : NoSuchSetting
}

/** What each policy may fail with of its own. */
interface Reasons {
  readonly deadline: DeadlineExceeded
  readonly throttle: Throttled
  readonly timeout: AttemptTimeout
  readonly breaker: CircuitOpen
  readonly rateLimit: RateLimited
  readonly adaptiveLimit: LimitExceeded
  readonly bulkhead: BulkheadFull
  readonly chaos: FaultInjected
}

/**
 * What a policy with these settings may fail with of its own.
 *
 * @category models
 * @since 0.1.0
 */
export type ErrorOf<O extends Options> = {
  readonly [K in keyof Reasons]: IsSet<O, K> extends true ? PolicyError<Reasons[K]> : never
}[keyof Reasons]

/**
 * Whether a policy with these settings may run a call more than once.
 *
 * @category models
 * @since 0.1.0
 */
export type RepeatsOf<O extends Options> = IsSet<O, "retry"> extends true ? true : IsSet<O, "hedge">

/**
 * Wraps the work of one attempt. `E` is what the policy may add to its errors.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attempt<out E> {
  <A, E2, R>(work: Effect.Effect<A, E2, R>): Effect.Effect<A, E2 | E, R>
}

/**
 * The part of a policy's errors that arises within an attempt.
 *
 * @category models
 * @since 0.1.0
 */
export type WithinAttempt<E> = Extract<E, PolicyError<AttemptTimeout | FaultInjected>>

/**
 * The part of a policy's errors that arises around the attempts.
 *
 * @category models
 * @since 0.1.0
 */
export type AroundAttempts<E> = Exclude<E, PolicyError<AttemptTimeout | FaultInjected>>

/**
 * How long a call and an attempt may take, where that is bounded.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** One attempt. */
  readonly timeout?: Duration.Duration | undefined
  /** A whole call. */
  readonly deadline?: Duration.Duration | undefined
}

/**
 * Refuses an operation that a policy must not be applied to, with what to do about it.
 *
 * @category models
 * @since 0.1.0
 */
export type Accepted<Op extends Operation, Given extends Operation> = Given extends Op ? unknown
  : "this policy may repeat the call, and the operation is not known to be idempotent: use Retry.whenSafe or Hedge.whenSafe, or Retry.anyOperation if it may take effect twice"

/**
 * Refuses two policies that both repeat, with what to do about it.
 *
 * @category models
 * @since 0.1.0
 */
export type RepeatsOnce<Outer extends boolean, Inner extends boolean> = [Outer, Inner] extends [true, true]
  ? "a retry or hedge inside another multiplies the attempts: keep one of them"
  : unknown

/**
 * Whether a value is a policy.
 *
 * @category guards
 * @since 0.1.0
 */
export const isPolicy = (u: unknown): u is Policy<unknown, never> => Predicate.hasProperty(u, TypeId)

const fromParts = <E, Op extends Operation, Repeats extends boolean>(
  name: string,
  parts: ReadonlyArray<PolicyImpl>
): Policy<E, Op, Repeats> => fromStages(name, parts.flatMap((part) => part.stages))

/**
 * Assembles a policy, outermost first: deadline, throttle, retry or hedge, then for each attempt the recovery, the circuit
 * breaker, the rate limit, the bulkhead or the adaptive limit, the borrow (which is the call's), the timeout, and a chaos. Accepts
 * every operation: one that is not idempotent is repeated only when it was surely not sent.
 *
 * Throws a `RangeError` for an option out of range, for a timeout that is not shorter than the deadline, for a hedge
 * that begins no earlier than either, for a hedge beside a retry, and for an adaptive limit beside a bulkhead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const O extends Options>(
  options: O & KnownOptions<O>
): Policy<ErrorOf<O>, Operation, RepeatsOf<O>> => {
  const {
    adaptiveLimit,
    breaker,
    bulkhead,
    chaos,
    classify,
    deadline,
    hedge,
    name,
    rateLimit,
    recover,
    retry,
    throttle,
    timeout
  }: Options = options
  if (bulkhead !== undefined && adaptiveLimit !== undefined) {
    throw new RangeError(
      `Option "adaptiveLimit" is given beside "bulkhead"; allowed is one of them: it would measure the other's queue.`
    )
  }
  const parts: Array<PolicyImpl> = []
  if (deadline !== undefined) parts.push(implOf(Deadline.make(deadline)))
  if (throttle !== undefined) parts.push(within("throttle", () => implOf(Throttle.make({ ...throttle, classify }))))
  if (retry !== undefined) parts.push(within("retry", () => implOf(Retry.whenSafe({ ...retry, classify }))))
  if (hedge !== undefined) parts.push(within("hedge", () => implOf(Hedge.whenSafe({ ...hedge, classify }))))
  if (recover !== undefined) parts.push(within("recover", () => implOf(Recover.make(recover))))
  if (breaker !== undefined) parts.push(within("breaker", () => implOf(CircuitBreaker.make({ ...breaker, classify }))))
  if (rateLimit !== undefined) parts.push(within("rateLimit", () => implOf(RateLimit.make(rateLimit))))
  if (adaptiveLimit !== undefined) {
    parts.push(within("adaptiveLimit", () => implOf(AdaptiveLimit.make({ ...adaptiveLimit, classify }))))
  }
  if (bulkhead !== undefined) parts.push(within("bulkhead", () => implOf(Bulkhead.make(bulkhead))))
  if (timeout !== undefined) parts.push(implOf(Timeout.make(timeout)))
  if (chaos !== undefined) parts.push(within("chaos", () => implOf(Chaos.make(chaos))))
  return fromParts(name ?? "policy", parts)
}

/**
 * Assembles a policy from settings of the program and those that an operator gives, which win. A setting is read from the path
 * of its option: `breaker.openFor` from `<prefix>_BREAKER_OPEN_FOR`, `adaptiveLimit.limit.max` from
 * `<prefix>_ADAPTIVE_LIMIT_LIMIT_MAX`, a duration as `5 seconds`. A part begins to exist with its first setting. The prefix is
 * `POLICY` unless given.
 *
 * Read is what can be written down: neither functions nor a shared budget, and a window by time only from the program.
 * In place of a schedule `_RETRY_BASE` and `_RETRY_CAP` set the bounds of `Retry.fullJitter`.
 *
 * What is malformed, out of range or does not go together fails as a `ConfigError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromConfig = (
  defaults: Options = {},
  prefix = "POLICY"
): Effect.Effect<Policy<ErrorOf<Options>, Operation, true>, Config.ConfigError> =>
  Effect.flatMap(optionsFromConfig(defaults, prefix), (options) => allowed(() => make(options)))

/**
 * What `fromConfig` makes a policy of, for what makes one itself. Only the bounds of delays are checked here.
 *
 * @category constructors
 * @since 0.1.0
 */
export const optionsFromConfig = (defaults: Options = {}, prefix = "POLICY"): Config.Config<Options> =>
  Config.mapEffect(settings(prefix, defaults), allowed)

const allowed = <A>(from: () => A): Effect.Effect<A, Config.ConfigError> =>
  Effect.try({
    try: from,
    catch: (refused) => new Config.ConfigError(new ConfigProvider.SourceError({ message: String(refused) }))
  })

/**
 * Puts one policy around another. The result has events and a snapshot of its own; state that a policy holds is shared.
 *
 * Types refuse a retry or a hedge inside another. Throws a `RangeError` where a timeout is not shorter than a
 * deadline, where a hedge begins no earlier than either, and where both policies repeat.
 *
 * @category combinators
 * @since 0.1.0
 */
export const compose: {
  <E2, Op2 extends Operation, Repeats2 extends boolean>(
    inner: Policy<E2, Op2, Repeats2>
  ): <E, Op extends Operation, Repeats extends boolean>(
    outer: Policy<E, Op, Repeats> & RepeatsOnce<Repeats, Repeats2>
  ) => Policy<E | E2, Op & Op2, Repeats extends true ? true : Repeats2>
  <E, Op extends Operation, Repeats extends boolean, E2, Op2 extends Operation, Repeats2 extends boolean>(
    outer: Policy<E, Op, Repeats>,
    inner: Policy<E2, Op2, Repeats2> & RepeatsOnce<Repeats, Repeats2>
  ): Policy<E | E2, Op & Op2, Repeats extends true ? true : Repeats2>
} = dual(
  2,
  (outer: Policy<unknown, never>, inner: Policy<unknown, never>) =>
    fromParts(`${outer.name}+${inner.name}`, [implOf(outer), implOf(inner)])
)

/**
 * A policy without some of its parts, by the names that `Options` has for them; the policy itself where it has none of
 * them. What the others hold is shared, so that a circuit that opens in one is open in both. Counts and events are its own.
 *
 * @category combinators
 * @since 0.1.0
 */
export const without = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>,
  ...parts: ReadonlyArray<Updates.Part>
): Policy<E, Op, Repeats> => {
  const { stages } = implOf(policy)
  const kinds = new Set(parts.map(Updates.kindOf))
  const left = stages.filter(({ kind }) => !kinds.has(kind))
  return left.length === stages.length ? policy : fromStages(policy.name, left)
}

const begun = <A, E, R>(call: Call, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    if (call.isAnswered) return Effect.interrupt
    call.begin()
    return work
  })

const attempted = <A, E, R>(
  policy: PolicyImpl,
  call: Call,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PolicyError, R> => {
  let effect: Effect.Effect<A, E | PolicyError, R> = work
  for (const inside of policy.insides) effect = inside(effect, call)
  return policy.tellsSent ? begun(call, effect) : effect
}

const attemptOf =
  (policy: PolicyImpl, call: Call): Attempt<PolicyError> =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | PolicyError, R> => attempted(policy, call, work)

/** A policy around something, as it is described: whenever it is run, a `Call` comes of it. */
abstract class Described<A, E, R> extends Effectable.Class<A, E | PolicyError, R> {
  protected readonly policy: PolicyImpl
  private readonly operation: Operation

  constructor(policy: PolicyImpl, operation: Operation) {
    super()
    this.policy = policy
    this.operation = operation
  }

  protected abstract work(call: Call): Effect.Effect<A, E | PolicyError, R>

  override asEffect(): Effect.Effect<A, E | PolicyError, R> {
    const { policy } = this
    const call = new Call(policy, this.operation, Fiber.getCurrent()!) // whoever asks runs in one
    return layered(this.work(call), policy.layers.length, call)
  }
}

type Work<A, E, R> = (attempt: Attempt<PolicyError>) => Effect.Effect<A, E, R>

class Ran<A, E, R> extends Described<A, E, R> {
  private readonly given: Work<A, E, R>

  constructor(policy: PolicyImpl, operation: Operation, given: Work<A, E, R>) {
    super(policy, operation)
    this.given = given
  }

  protected override work(call: Call): Effect.Effect<A, E, R> {
    const { given, policy } = this
    const work = given(attemptOf(policy, call))
    return given.length === 0 && policy.tellsSent ? begun(call, work) : work
  }
}

class Applied<A, E, R> extends Described<A, E, R> {
  private readonly given: Effect.Effect<A, E, R>

  constructor(policy: PolicyImpl, operation: Operation, given: Effect.Effect<A, E, R>) {
    super(policy, operation)
    this.given = given
  }

  protected override work(call: Call): Effect.Effect<A, E | PolicyError, R> {
    return attempted(this.policy, call, this.given)
  }
}

/**
 * Applies a policy to one call. What stands around `attempt` in the call, such as a borrow, is bounded by the deadline
 * and repeated by the retry; what stands inside it is also bounded by the timeout, and counts as sent once it has
 * begun. A call that takes no `attempt` counts as sent from its start.
 *
 * A policy without parts adds nothing.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <E, Op extends Operation, Repeats extends boolean, Given extends Operation, A, E2, R>(
  policy: Policy<E, Op, Repeats>,
  operation: Given & Accepted<Op, Given>,
  call: (attempt: Attempt<WithinAttempt<E>>) => Effect.Effect<A, E2, R>
): Effect.Effect<A, E2 | AroundAttempts<E>, R> => {
  const impl = implOf(policy)
  if (impl.stages.length === 0) return call(identity)
  // Stages are typed by what any of them fails with, a policy by what its own do.
  return new Ran(impl, operation, call as Work<A, E2, R>) as Effect.Effect<A, E2 | AroundAttempts<E>, R>
}

/**
 * Applies a policy to an effect, all of which is the attempt: for what needs no borrow.
 *
 * @category running
 * @since 0.1.0
 */
export const apply: {
  <E, Op extends Operation, Repeats extends boolean, Given extends Operation>(
    policy: Policy<E, Op, Repeats>,
    operation: Given & Accepted<Op, Given>
  ): <A, E2, R>(self: Effect.Effect<A, E2, R>) => Effect.Effect<A, E2 | E, R>
  <A, E2, R, E, Op extends Operation, Repeats extends boolean, Given extends Operation>(
    self: Effect.Effect<A, E2, R>,
    policy: Policy<E, Op, Repeats>,
    operation: Given & Accepted<Op, Given>
  ): Effect.Effect<A, E2 | E, R>
} = dual(
  3,
  <A, E2, R, E>(
    self: Effect.Effect<A, E2, R>,
    policy: Policy<E>,
    operation: Operation
  ): Effect.Effect<A, E2 | E, R> => {
    const impl = implOf(policy)
    if (impl.stages.length === 0) return self
    // Stages are typed by what any of them fails with, a policy by what its own do.
    return new Applied(impl, operation, self) as Effect.Effect<A, E2 | E, R>
  }
)

/**
 * Frees a piece of program from the deadline and the attempt count of the call it stands in: for work that outlives the
 * call, such as a fiber forked as a daemon.
 *
 * @category combinators
 * @since 0.1.0
 */
export const detached = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  self.pipe(Effect.provideService(AmbientDeadline, Infinity), Effect.provideService(RetryScope, undefined))

/**
 * Changes settings while calls are under way, without dropping them or what the policy knows: a breaker and a throttle keep
 * their windows, a retry and a hedge their budgets, limits who runs and who waits. A call that has begun keeps its times. What
 * the policy shares with others that it is composed with changes for them too.
 *
 * Nothing changes where anything is refused: it throws a `RangeError` for an option out of range, for one of a part that
 * the policy was made without, and for times that do not go together.
 *
 * @category combinators
 * @since 0.1.0
 */
export const update = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>,
  changes: Updates.Update
): void => Updates.update([implOf(policy)], changes)

/**
 * The same for several policies that count as one, such as those of a backend: a part changes in each that has it, and is
 * refused where none has it. Nothing changes in any of them where anything is refused.
 *
 * @category combinators
 * @since 0.1.0
 */
export const updateAll = (
  [first, ...others]: readonly [Policy<unknown>, ...ReadonlyArray<Policy<unknown>>],
  changes: Updates.Update
): void => Updates.update([implOf(first), ...others.map((policy) => implOf(policy))], changes)

/**
 * How long a call and an attempt of it may take. What there is no limit of is missing; of several it is the shortest.
 *
 * @category getters
 * @since 0.1.0
 */
export const limits = <E, Op extends Operation, Repeats extends boolean>(policy: Policy<E, Op, Repeats>): Limits => {
  const { stages } = implOf(policy)
  return { timeout: shortest(stages, "Timeout"), deadline: shortest(stages, "Deadline") }
}

// Backends ask with each call.
const shortest = (
  stages: ReadonlyArray<Stage>,
  wanted: "Timeout" | "Deadline"
): Duration.Duration | undefined => {
  let least: Duration.Duration | undefined
  for (const { kind, limit } of stages) {
    if (kind !== wanted || limit === undefined) continue
    if (least === undefined || Duration.isLessThan(limit, least)) least = limit
  }
  return least
}

/**
 * Reads the counts, for health and metrics. Constant time.
 *
 * @category getters
 * @since 0.1.0
 */
export const snapshot = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>
): Snapshot => {
  const { counts, stages } = implOf(policy)
  return snapshotOf(policy.name, counts, stages.map((stage) => stage.snapshot?.()))
}

/**
 * Shows the counts of a policy as metrics until the scope closes: `Metrics` has their names. They are read when somebody
 * looks, and cost a call nothing. Each carries the policy's name; where another one has that name already, the name and a
 * number, `name#2`.
 *
 * The policies of a registered backend are shown by it.
 *
 * @category observing
 * @since 0.1.0
 */
export const metrics = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>
): Effect.Effect<void, never, Scope.Scope> => showMetrics({ name: policy.name, snapshot: () => snapshot(policy) })

/**
 * The same for several policies that count as one, such as those of a backend, and with what is said of it beside its
 * name.
 *
 * @category observing
 * @since 0.1.0
 */
export const showMetrics = (source: {
  readonly name: string
  readonly snapshot: () => Snapshot
  readonly attributes?: Readonly<Record<string, string>> | undefined
}): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.withFiber((fiber) => {
      const owner = { key: attributes.policy, name: source.name, others: source.attributes }
      return Effect.succeed(Metrics.show(owner, seriesOf(source.snapshot), fiber.context))
    }),
    (hide) => Effect.sync(hide)
  ))

/**
 * What the policy does, from the moment of listening on. A listener that is slower than the events loses the oldest of
 * them. The stream does not end by itself.
 *
 * @category getters
 * @since 0.1.0
 */
export const events = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>
): Stream.Stream<PolicyEvent> => listen(policy, (hub) => hub.stream)

/**
 * As `events`, without what happens to single calls: only that a circuit breaker changed its state. Calls do no work for
 * who listens to it; `elapsed` is the time since then.
 *
 * @category getters
 * @since 0.1.0
 */
export const changes = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>
): Stream.Stream<PolicyEvent> => listen(policy, (hub) => hub.changes)

const listen = <E, Op extends Operation, Repeats extends boolean>(
  policy: Policy<E, Op, Repeats>,
  streamOf: (hub: EventHub<PolicyEvent>) => Stream.Stream<PolicyEvent>
): Stream.Stream<PolicyEvent> =>
  Stream.unwrap(Effect.clockWith((clock) =>
    Effect.map(EventHub.make<PolicyEvent>(), (fresh) => {
      const impl = implOf(policy)
      impl.hub ??= fresh
      if (impl.hub.publishEach === undefined) impl.heardSince = monotonicMillis(clock)
      return streamOf(impl.hub)
    })
  ))
