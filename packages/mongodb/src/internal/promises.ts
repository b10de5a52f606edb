/**
 * The same database for code outside Effect: promises that reject with the same typed errors, and an `AbortSignal` for
 * every call.
 *
 * @internal
 */
import type { Health } from "@breakwater/core/Backend"
import type * as Pool from "@breakwater/core/Pool"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Work } from "./calls.ts"

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

/**
 * Work as promises.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  /** As `use` of the service. `label` names the call in errors and events. */
  readonly use: <A>(work: Work<A>, options?: RunOptions & { readonly label?: string | undefined }) => Promise<A>
}

/**
 * A database that runs until `close`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Started extends AsyncDisposable {
  readonly client: Client
  readonly stats: (options?: RunOptions) => Promise<Pool.Stats>
  readonly health: (options?: RunOptions) => Promise<Health>
  /** Lets running work finish for five seconds. Closing twice is closing once. */
  readonly close: (options?: RunOptions) => Promise<void>
}

interface Service {
  readonly use: <A>(work: Work<A>, options?: { readonly label?: string | undefined }) => Effect.Effect<A, unknown>
  readonly stats: Effect.Effect<Pool.Stats>
  readonly health: Effect.Effect<Health>
}

const runPromise = async <A, E>(effect: Effect.Effect<A, E>, options: RunOptions | undefined): Promise<A> => {
  const signal = options?.signal
  signal?.throwIfAborted()
  const exit = await Effect.runPromiseExit(effect, signal === undefined ? {} : { signal })
  if (Exit.isSuccess(exit)) return exit.value
  if (signal?.aborted === true && Cause.hasInterrupts(exit.cause)) throw signal.reason
  throw Cause.squash(exit.cause)
}

export const start = async <E>(
  make: Effect.Effect<Service, E, Scope.Scope>,
  options: RunOptions | undefined
): Promise<Started> => {
  const scope = Scope.makeUnsafe()
  const opened = Effect.onError(Scope.provide(make, scope), (cause) => Scope.close(scope, Exit.failCause(cause)))
  const service = await runPromise(opened, options)
  let closing: Promise<void> | undefined
  const close = () => closing ??= Effect.runPromise(Scope.close(scope, Exit.void))
  return {
    client: { use: (work, given) => runPromise(service.use(work, { label: given?.label }), given) },
    stats: (given) => runPromise(service.stats, given),
    health: (given) => runPromise(service.health, given),
    close: (given) => runPromise(Effect.promise(close), given),
    [Symbol.asyncDispose]: close
  }
}
