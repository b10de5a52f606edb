/**
 * The same pool for code outside Effect: promises that reject with the same typed errors, and an `AbortSignal` for every
 * call.
 *
 * @internal
 */
import type { Health } from "@breakwater/core/Backend"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Dispatcher } from "undici/index.js"
import { type Fetch, fetchOf } from "./dispatcher.ts"
import type { Stats } from "./stats.ts"

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
 * What sends requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  /**
   * As the standard's; takes its signal in `init`. Rejects as `fetch` does, with a `TypeError` whose `cause` is the typed
   * error. Redirects are those of `fetch`.
   */
  readonly fetch: Fetch
  /** For what takes an undici `Dispatcher`. Closing it has no effect. */
  readonly dispatcher: Dispatcher
}

/**
 * A pool that runs until `close`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Started extends AsyncDisposable {
  readonly client: Client
  readonly stats: (options?: RunOptions) => Promise<Stats>
  readonly health: (options?: RunOptions) => Promise<Health>
  /** Lets running requests finish for five seconds, their bodies too. Closing twice is closing once. */
  readonly close: (options?: RunOptions) => Promise<void>
}

interface Service {
  readonly dispatcher: Dispatcher
  readonly stats: Effect.Effect<Stats>
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
    client: { fetch: fetchOf(service.dispatcher), dispatcher: service.dispatcher },
    stats: (given) => runPromise(service.stats, given),
    health: (given) => runPromise(service.health, given),
    close: (given) => runPromise(Effect.promise(close), given),
    [Symbol.asyncDispose]: close
  }
}
