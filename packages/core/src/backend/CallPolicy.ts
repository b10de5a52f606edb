/**
 * The option `policy` of backends, for their authors: which parts there are around each call unless somebody says
 * otherwise, and the one budget for all that repeats.
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Stream from "effect/Stream"
import * as CircuitBreaker from "../policy/CircuitBreaker.ts"
import * as Hedge from "../policy/Hedge.ts"
import * as Policy from "../policy/Policy.ts"
import type { PolicyEvent } from "../policy/PolicyEvent.ts"
import * as RetryBudget from "../policy/RetryBudget.ts"
import type { Backend, Breaker } from "./Backend.ts"
import * as Validate from "./Validate.ts"

/**
 * What is done around each call to a backend, in the order of `Policy.make`, whose presets fit here.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Omit<Policy.Groups, "recover" | "retry" | "breaker"> {
  /** Repeats what failed where that is safe. Default: as `Policy.standard`, unless there is a hedge. `false`: not. */
  readonly retry?: Policy.Groups["retry"] | false
  /** Stops calling a server that fails. Default: as `Policy.standard`. `false`: not. */
  readonly breaker?: Policy.Groups["breaker"] | false
  /** The whole call: its waits, its attempts and the delays between them. */
  readonly deadline?: Duration.Input | undefined
  /** One attempt, from the moment its work begins. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Those that are there, for `Policy.make`.
 *
 * @since 0.1.0
 * @category models
 */
export type Parts = Omit<Policy.Groups, "recover">

const NAMES: { readonly [K in keyof Required<Options>]: true } = {
  deadline: true,
  timeout: true,
  throttle: true,
  retry: true,
  hedge: true,
  breaker: true,
  rateLimit: true,
  adaptiveLimit: true,
  bulkhead: true,
  chaos: true
}

/** Of variables there may be only one that bounds the delays: how often it repeats is then as usual. */
const retryOf = ({ hedge, retry }: Options, standard: Pick<Policy.Groups, "retry">): Parts["retry"] => {
  if (retry === false) return undefined
  if (retry === undefined) return hedge === undefined ? standard.retry : undefined
  return { ...standard.retry, ...retry }
}

/**
 * The parts of `given`, with a retry and a breaker as `Policy.standard` has them where it does not speak of them; beside
 * a hedge there is no retry. `others` are the options that the backend has beyond these.
 *
 * Throws a `RangeError` for an option that there is not, which would do nothing. The parts check themselves when the
 * policy is made.
 *
 * @since 0.1.0
 * @category choosing
 */
export const partsOf = <O extends Options>(
  given: O,
  others: ReadonlyArray<Exclude<keyof O, keyof Options>>,
  standard: Pick<Policy.Groups, "retry" | "breaker"> = Policy.standard
): Parts => {
  const { adaptiveLimit, breaker, bulkhead, chaos, hedge, rateLimit, throttle } = given
  Validate.known("policy", given, [...Object.keys(NAMES), ...others.map(String)])
  return {
    throttle,
    retry: retryOf(given, standard),
    hedge,
    breaker: breaker === false ? undefined : breaker ?? standard.breaker,
    rateLimit,
    adaptiveLimit,
    bulkhead,
    chaos
  }
}

/**
 * The same parts, of which those that repeat spend from one budget: the one that they were given, else one of its own. A
 * backend pays for its reconnects from it, too.
 *
 * Throws a `RangeError` for a hedge whose options are out of range.
 *
 * @since 0.1.0
 * @category choosing
 */
export const onOneBudget = (parts: Parts): { readonly budget: RetryBudget.RetryBudget; readonly parts: Parts } => {
  const { hedge, retry } = parts
  const budget = hedge === undefined
    ? retry?.budget ?? RetryBudget.make()
    : Validate.within("policy.hedge", () => Hedge.budget(hedge))
  return { budget, parts: { ...parts, retry: retry && { ...retry, budget }, hedge: hedge && { ...hedge, budget } } }
}

/**
 * What of a backend's policy goes around the first call on a connection of one's own: no hedge, which would take another
 * one, and nothing that bounds what runs at once or measures it, since the connection is held for more than this call.
 *
 * @since 0.1.0
 * @category choosing
 */
export const opening = <E>(policy: Policy.Policy<E>): Policy.Policy<E> =>
  Policy.without(policy, "hedge", "adaptiveLimit", "bulkhead")

/**
 * As `opening`, around the wait for such a connection, which is no call: it does not count in a rate either.
 *
 * @since 0.1.0
 * @category choosing
 */
export const borrowing = <E>(policy: Policy.Policy<E>): Policy.Policy<E> => Policy.without(opening(policy), "rateLimit")

/**
 * The option `policy` of a backend for its `layerConfig`, with what an operator sets over what the program gives: see
 * `Policy.fromConfig`. The prefix is `POLICY` unless given.
 *
 * @since 0.1.0
 * @category reading
 */
export const config = <const D extends Options>(
  defaults: D,
  prefix?: string
): Config.Config<Omit<D, keyof Options> & Options> =>
  // What is read lies over what is given, whatever that is, `false` and a backend's own among it.
  Policy.optionsFromConfig(defaults as Policy.Options, prefix) as Config.Config<Omit<D, keyof Options> & Options>

/**
 * The policies of a backend: first the one that has all parts, then others that share or lack some.
 *
 * @since 0.1.0
 * @category models
 */
export type Policies = readonly [Policy.Policy<unknown>, ...ReadonlyArray<Policy.Policy<unknown>>]

/**
 * What the policies of a backend did together; how things stand is as in the first of them. One that is there twice counts
 * once.
 *
 * @since 0.1.0
 * @category observing
 */
export const snapshot = (policies: Policies): Policy.Snapshot => {
  const [first, ...others] = Array.from(new Set(policies), Policy.snapshot)
  // There is at least the first.
  const state = first as Policy.Snapshot
  return { ...state, ...others.reduce(Policy.addCounts, state) }
}

/**
 * What the policies of a backend do, as `Policy.events`.
 *
 * @since 0.1.0
 * @category observing
 */
export const events = (policies: Policies): Stream.Stream<PolicyEvent> => merged(policies, Policy.events)

/**
 * How a backend's policies are steered, which are there for as long as it is.
 *
 * @since 0.1.0
 * @category steering
 */
export const steering = (policies: Policies): Pick<Backend, "update" | "breaker"> => ({
  update: (changes) => Policy.updateAll(policies, changes),
  breaker: breakerOf(policies[0])
})

const breakerOf = (policy: Policy.Policy<unknown>): Breaker | undefined =>
  CircuitBreaker.circuits(policy).length === 0 ? undefined : {
    setMode: (mode) => CircuitBreaker.setMode(policy, mode),
    reset: CircuitBreaker.reset(policy)
  }

/**
 * How the circuits of a backend change, as `Policy.changes`.
 *
 * @since 0.1.0
 * @category observing
 */
export const changes = (policies: Policies): Stream.Stream<PolicyEvent> => merged(policies, Policy.changes)

const merged = (
  policies: Policies,
  streamOf: (policy: Policy.Policy<unknown>) => Stream.Stream<PolicyEvent>
): Stream.Stream<PolicyEvent> => Stream.mergeAll(Array.from(new Set(policies), streamOf), { concurrency: "unbounded" })
