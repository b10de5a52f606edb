/**
 * What both promise faces share: an `AbortSignal` for every call, typed rejections, one close.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

/**
 * Settings of one call.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions {
  /** Ends the call; the promise then rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

export const runPromise = async <A, E>(effect: Effect.Effect<A, E>, options: RunOptions | undefined): Promise<A> => {
  const signal = options?.signal
  signal?.throwIfAborted()
  const exit = await Effect.runPromiseExit(effect, signal === undefined ? {} : { signal })
  if (Exit.isSuccess(exit)) return exit.value
  if (signal?.aborted === true && Cause.hasInterrupts(exit.cause)) throw signal.reason
  throw Cause.squash(exit.cause)
}

/** Opens what lives in a scope, and gives it with the function that ends it, once. */
export const open = async <A, E>(
  make: Effect.Effect<A, E, Scope.Scope>,
  options: RunOptions | undefined
): Promise<{ readonly service: A; readonly close: () => Promise<void> }> => {
  const scope = Scope.makeUnsafe()
  const opened = Effect.onError(Scope.provide(make, scope), (cause) => Scope.close(scope, Exit.failCause(cause)))
  const service = await runPromise(opened, options)
  let closing: Promise<void> | undefined
  return { service, close: () => closing ??= Effect.runPromise(Scope.close(scope, Exit.void)) }
}
