/**
 * What a policy may know of a call: its name, whether repeating it is safe, and how it is to be queued.
 *
 * Operations come from the backends, which know their commands. Where a backend cannot know, the program says it:
 * `Operation.idempotent` marks a piece of program, and the backend reads the mark.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * What a policy may know of a call. `Safe` is the literal type of `idempotent`, so that types can refuse a repetition.
 *
 * @category models
 * @since 0.1.0
 */
export interface Operation<out Safe extends boolean = boolean> {
  /** Names the kind of call (`"orders.insert"`), never its data: it appears in errors, events and metrics. */
  readonly name: string
  /** What the call is about, for policies and queues that work by key: a host, a tenant. */
  readonly key?: string | undefined
  /** Whether running the call twice leaves the backend as running it once does. */
  readonly idempotent: Safe
  /** The larger the sooner it is served where calls wait. */
  readonly priority?: number | undefined
}

/**
 * An operation that may be repeated.
 *
 * @category models
 * @since 0.1.0
 */
export type Idempotent = Operation<true>

/**
 * Describes a call. The literal of `idempotent` is kept in the type.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Safe extends boolean>(name: string, options: {
  readonly idempotent: Safe
  readonly key?: string | undefined
  readonly priority?: number | undefined
}): Operation<Safe> => ({ name, ...options })

/**
 * Whether the program around is marked as safe to repeat; `false` unless marked. Backends read it for each call.
 *
 * @category references
 * @since 0.1.0
 */
export const MarkedIdempotent: Context.Reference<boolean> = Context.Reference<boolean>(
  "@breakwater/core/Operation/MarkedIdempotent",
  { defaultValue: () => false }
)

/**
 * Marks a piece of program as safe to repeat: its calls count as idempotent where the backend cannot tell by itself.
 * Every single call in it must be safe to repeat, since each is repeated on its own.
 *
 * @category combinators
 * @since 0.1.0
 */
export const idempotent = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, MarkedIdempotent, true)

/**
 * Reads the mark from the context of a fiber, without an effect.
 *
 * @category getters
 * @since 0.1.0
 */
export const isMarkedIdempotent = (context: Context.Context<never>): boolean => Context.get(context, MarkedIdempotent)
