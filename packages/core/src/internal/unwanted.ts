import * as Cause from "effect/Cause"
import * as Context from "effect/Context"

/**
 * Marks the interruption of a dial that its pool has no use for any more, which says nothing of the server. That of one
 * whose time is over does.
 *
 * @internal
 */
const Unwanted = Context.Service<true>("@breakwater/core/Unwanted")

/** @internal */
export const unwanted: Context.Context<never> = Context.make(Unwanted, true)

/** @internal */
export const isUnwanted = (cause: Cause.Cause<unknown>): boolean =>
  Context.getOrUndefined(Cause.annotations(cause), Unwanted) === true
