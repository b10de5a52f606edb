/**
 * A backend for code outside Effect, for its authors: promises that reject with the same typed errors, an `AbortSignal`
 * for every call, one close.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { runPromise } from "../internal/runPromise.ts"
import type { RunOptions } from "../pool/PromisePool.ts"
import type { Health } from "./Backend.ts"

export type { RunOptions } from "../pool/PromisePool.ts"

/**
 * A backend that runs until `close`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Started<Client, Stats> extends AsyncDisposable {
  readonly client: Client
  readonly stats: (options?: RunOptions) => Promise<Stats>
  readonly health: (options?: RunOptions) => Promise<Health>
  /** Lets running work finish for five seconds. Closing twice is closing once. */
  readonly close: (options?: RunOptions) => Promise<void>
}

/**
 * What of a backend goes into every `Started`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service<Stats> {
  readonly stats: Effect.Effect<Stats>
  readonly health: Effect.Effect<Health>
}

/**
 * Runs an effect. Rejects with what it fails with, or with the signal's reason when that ended it.
 *
 * @since 0.1.0
 * @category running
 */
export const run = <A, E>(effect: Effect.Effect<A, E>, options: RunOptions | undefined): Promise<A> =>
  runPromise(effect, options?.signal)

/**
 * Opens what lives in a scope, and gives it as promises.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = async <Running, Stats, Client, E>(
  make: Effect.Effect<Running & Service<Stats>, E, Scope.Scope>,
  clientOf: (running: Running) => Client,
  options: RunOptions | undefined
): Promise<Started<Client, Stats>> => {
  const scope = Scope.makeUnsafe()
  const opened = Effect.onError(Scope.provide(make, scope), (cause) => Scope.close(scope, Exit.failCause(cause)))
  const service = await run(opened, options)
  let closing: Promise<void> | undefined
  const close = () => closing ??= Effect.runPromise(Scope.close(scope, Exit.void))
  return {
    client: clientOf(service),
    stats: (given) => run(service.stats, given),
    health: (given) => run(service.health, given),
    close: (given) => run(Effect.promise(close), given),
    [Symbol.asyncDispose]: close
  }
}
