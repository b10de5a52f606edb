/**
 * Answers with something else when a call fails: a value, what another effect gives, or the last good value while it is
 * younger than a bound ("stale if error").
 *
 * It stands outermost, around the whole of a policy: inside a breaker or a retry it would hide the failures from them. It
 * is applied by itself and is no part of `Policy.make`, because it has to do with the value of the call, which a policy for
 * all calls does not know. Several are tried in the order in which they are applied.
 *
 * Errors that are replaced are gone from the type; with `on` those with these tags, otherwise all of them. A defect and an
 * interruption are never replaced.
 *
 * ```ts
 * import { Fallback, Operation } from "@breakwater/core"
 * import { Effect } from "effect"
 *
 * const prices = Operation.make("prices.get", { idempotent: true, key: "EUR" })
 * const last = Fallback.stale<number>({ within: "5 minutes" })
 * const none = Fallback.value(0)
 *
 * const get = (call: Effect.Effect<number, "down">) =>
 *   call.pipe(Fallback.apply(last, prices), Fallback.apply(none, prices))
 *
 * console.log(await Effect.runPromise(get(Effect.fail("down")))) // => 0
 * console.log(await Effect.runPromise(get(Effect.succeed(1.09)))) // => 1.09
 * console.log(await Effect.runPromise(get(Effect.fail("down")))) // => 1.09
 * ```
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import type * as Types from "effect/Types"
import { monotonicMillis } from "../internal/ambientDeadline.ts"
import { EventHub } from "../internal/eventHub.ts"
import * as validate from "../internal/validate.ts"
import { errorOf } from "./internal/failure.ts"
import { Keyed } from "./internal/keyed.ts"
import type { Operation } from "./Operation.ts"

const TypeId = "~@breakwater/core/Fallback"

/**
 * What to answer with in place of which errors. It keeps values of `A`, answers with a `B`, and `Replaced` are the tags of
 * the errors that are gone after it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fallback<in A, out B, out E, out R, out Replaced> {
  readonly [TypeId]: {
    readonly _A: Types.Contravariant<A>
    readonly _B: Types.Covariant<B>
    readonly _E: Types.Covariant<E>
    readonly _R: Types.Covariant<R>
    readonly _Replaced: Types.Covariant<Replaced>
  }
}

/**
 * The errors that a fallback does not replace.
 *
 * @category models
 * @since 0.1.0
 */
export type Remaining<E, Replaced> = E extends { readonly _tag: infer Tag } ? Tag extends Replaced ? never : E
  : unknown extends Replaced ? never
  : E

/**
 * Which errors are replaced.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Tag> {
  /** The tags of the errors to replace. Default: all errors, whatever they are. */
  readonly on?: ReadonlyArray<Tag> | undefined
}

/**
 * A call failed, and was answered with something else.
 *
 * @category models
 * @since 0.1.0
 */
export interface FellBack {
  readonly _tag: "FellBack"
  /** Name of the operation. */
  readonly operation: string
  readonly to: "value" | "effect" | "stale"
  /** How old a stale value was. */
  readonly age?: Duration.Duration | undefined
  /** What the call failed with. */
  readonly cause: unknown
}

/**
 * What a fallback has done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  /** Calls answered with something else. */
  readonly replaced: number
  /** Failures that it had no answer for: an error that is not among those to replace, or no value young enough. */
  readonly passedOn: number
  /** Values kept. */
  readonly kept: number
}

interface Answer<B, E, R> {
  readonly effect: Effect.Effect<B, E, R>
  readonly age?: Duration.Duration | undefined
}

/** Where answers come from, and what learns from the values of calls that succeed. */
interface Source<A, B, E, R> {
  readonly to: FellBack["to"]
  readonly answer: (operation: Operation, clock: Clock.Clock) => Answer<B, E, R> | undefined
  readonly keep?: (operation: Operation, value: A, clock: Clock.Clock) => void
  readonly kept: () => number
}

class Replacement<A, B, E, R> {
  hub: EventHub<FellBack> | undefined
  replaced = 0
  passedOn = 0
  readonly source: Source<A, B, E, R>
  private readonly on: ReadonlySet<unknown> | undefined

  constructor(source: Source<A, B, E, R>, on: ReadonlyArray<unknown> | undefined) {
    this.source = source
    this.on = on === undefined ? undefined : new Set(on)
  }

  around<A2 extends A, E2, R2>(
    self: Effect.Effect<A2, E2, R2>,
    operation: Operation
  ): Effect.Effect<A2 | B, E | E2, R | R2> {
    const { keep } = this.source
    return Effect.matchCauseEffect(self, {
      onSuccess: (good) =>
        keep === undefined
          ? Effect.succeed(good)
          : Effect.clockWith((clock) => Effect.sync(() => (keep(operation, good, clock), good))),
      onFailure: (cause): Effect.Effect<B, E | E2, R> =>
        Effect.clockWith((clock) => this.instead(cause, operation, clock))
    })
  }

  private instead<E2>(
    cause: Cause.Cause<E2>,
    operation: Operation,
    clock: Clock.Clock
  ): Effect.Effect<B, E | E2, R> {
    const failure = errorOf(cause)
    if (failure === undefined) return Effect.failCause(cause)
    const answer = this.isFor(failure.error) ? this.source.answer(operation, clock) : undefined
    if (answer === undefined) {
      this.passedOn++
      return Effect.failCause(cause)
    }
    this.replaced++
    this.hub?.publish?.({
      _tag: "FellBack",
      operation: operation.name,
      to: this.source.to,
      age: answer.age,
      cause: failure.error
    })
    return answer.effect
  }

  private isFor(error: unknown): boolean {
    return this.on === undefined || (Predicate.hasProperty(error, "_tag") && this.on.has(error._tag))
  }
}

const fromSource = <A, B, E, R, Replaced>(
  source: Source<A, B, E, R>,
  on: ReadonlyArray<unknown> | undefined
): Fallback<A, B, E, R, Replaced> =>
  // The type parameters are seen by `apply` alone; what they hide is behind `implOf`.
  new Replacement(source, on) as unknown as Fallback<A, B, E, R, Replaced>

const implOf = <A, B, E, R, Replaced>(fallback: Fallback<A, B, E, R, Replaced>): Replacement<A, B, E, R> =>
  // Every fallback is made by `fromSource`.
  fallback as unknown as Replacement<A, B, E, R>

const none = () => 0

/**
 * Answers with a value.
 *
 * @category constructors
 * @since 0.1.0
 */
export const value = <const B, const Tag = unknown>(
  instead: B,
  options?: Options<Tag>
): Fallback<unknown, B, never, never, Tag> =>
  fromSource({ to: "value", answer: () => ({ effect: Effect.succeed(instead) }), kept: none }, options?.on)

/**
 * Answers with what another effect gives: another host, a cache, a query that is cheaper. It fails as that effect does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const effect = <B, E, R, const Tag = unknown>(
  instead: Effect.Effect<B, E, R>,
  options?: Options<Tag>
): Fallback<unknown, B, E, R, Tag> =>
  fromSource({ to: "effect", answer: () => ({ effect: instead }), kept: none }, options?.on)

/** A value that nobody asks for goes with its key, whatever its age. */
const MAX_KEYS = 1000

/**
 * Answers with the last good value of the operation, as long as it is no older than `within`; without one the call fails
 * as it did. Values are kept by the name and the key of the operation, which must hence tell apart what may not be
 * mistaken for one another, `maxKeys` of them at most: 1,000 by default.
 *
 * Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const stale = <A>(
  options: Options<string> & { readonly within: Duration.Input; readonly maxKeys?: number | undefined }
): Fallback<A, A, never, never, never> => {
  const within = validate.boundedMillis("within", options.within)
  const maxKeys = validate.integer("maxKeys", options.maxKeys ?? MAX_KEYS, 2)
  const values = new Keyed<{ last: { readonly value: A; readonly at: number } | undefined }>(
    maxKeys,
    within,
    () => ({ last: undefined })
  )
  const keyOf = ({ key, name }: Operation) => JSON.stringify([name, key])
  const answer = (operation: Operation, clock: Clock.Clock): Answer<A, never, never> | undefined => {
    const last = values.peek(keyOf(operation))?.last
    if (last === undefined) return undefined
    const age = monotonicMillis(clock) - last.at
    return age > within ? undefined : { effect: Effect.succeed(last.value), age: Duration.millis(age) }
  }
  const keep = (operation: Operation, good: A, clock: Clock.Clock) => {
    const at = monotonicMillis(clock)
    values.get(keyOf(operation), { now: () => at }).last = { value: good, at }
  }
  return fromSource({ to: "stale", answer, keep, kept: () => values.size }, options.on)
}

/**
 * Applies a fallback to a call, all of it: what `Policy.run` or `Policy.apply` gives.
 *
 * @category running
 * @since 0.1.0
 */
export const apply: {
  <A, B, E2, R2, Replaced>(
    fallback: Fallback<A, B, E2, R2, Replaced>,
    operation: Operation
  ): <A1 extends A, E, R>(
    self: Effect.Effect<A1, E, R>
  ) => Effect.Effect<A1 | B, Remaining<E, Replaced> | E2, R | R2>
  <A, A1 extends A, E, R, B, E2, R2, Replaced>(
    self: Effect.Effect<A1, E, R>,
    fallback: Fallback<A, B, E2, R2, Replaced>,
    operation: Operation
  ): Effect.Effect<A1 | B, Remaining<E, Replaced> | E2, R | R2>
} = dual(
  3,
  <A, A1 extends A, E, R, B, E2, R2, Replaced>(
    self: Effect.Effect<A1, E, R>,
    fallback: Fallback<A, B, E2, R2, Replaced>,
    operation: Operation
  ): Effect.Effect<A1 | B, Remaining<E, Replaced> | E2, R | R2> =>
    // What is replaced does not come out, which types cannot see.
    implOf(fallback).around(self, operation) as Effect.Effect<A1 | B, Remaining<E, Replaced> | E2, R | R2>
)

/**
 * Reads the counts, for health and metrics.
 *
 * @category getters
 * @since 0.1.0
 */
export const snapshot = <A, B, E, R, Replaced>(fallback: Fallback<A, B, E, R, Replaced>): Snapshot => {
  const { passedOn, replaced, source } = implOf(fallback)
  return { replaced, passedOn, kept: source.kept() }
}

/**
 * Every answer given in place of another, from the moment of listening on. The stream does not end by itself.
 *
 * @category getters
 * @since 0.1.0
 */
export const events = <A, B, E, R, Replaced>(
  fallback: Fallback<A, B, E, R, Replaced>
): Stream.Stream<FellBack> =>
  Stream.unwrap(Effect.map(EventHub.make<FellBack>(), (fresh) => (implOf(fallback).hub ??= fresh).stream))
