/**
 * The error of a cause that says no more than that: with a bug or an interruption in it there is nothing to repeat, nor to
 * answer for.
 *
 * @internal
 */
import type * as Cause from "effect/Cause"

export const errorOf = <E>(cause: Cause.Cause<E>): { readonly error: E } | undefined => {
  let first: { readonly error: E } | undefined
  for (const reason of cause.reasons) {
    if (reason._tag !== "Fail") return undefined
    first ??= reason
  }
  return first
}
