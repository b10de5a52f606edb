/**
 * The same Redis for code outside Effect: promises that reject with the same typed errors, and an `AbortSignal` for
 * every call.
 *
 * @internal
 */
import type { Health } from "@breakwater/core/Backend"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Redis as IoRedis } from "ioredis"
import { isRedisError } from "../RedisError.ts"
import type { Stats } from "./backend.ts"
import type { Command, Failure } from "./client.ts"

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
 * Commands as promises.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  /** One command; its reply is what the caller says it is. Rejects with a `Failure`. */
  readonly send: <A = unknown>(command: Command, options?: RunOptions) => Promise<A>
  /** Several in one go, with `atomic` as a transaction; their replies. Rejects with a `Failure`. */
  readonly pipeline: (
    commands: ReadonlyArray<Command>,
    options?: RunOptions & { readonly atomic?: boolean | undefined }
  ) => Promise<ReadonlyArray<unknown>>
  /** Lends a connection that others use too. What `f` rejects with is passed on, if it is not of Redis. */
  readonly use: <A>(f: (client: IoRedis, signal: AbortSignal) => Promise<A>, options?: RunOptions) => Promise<A>
}

/**
 * A Redis that runs until `close`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Started extends AsyncDisposable {
  readonly client: Client
  readonly stats: (options?: RunOptions) => Promise<Stats>
  readonly health: (options?: RunOptions) => Promise<Health>
  /** Lets running work finish for five seconds. Closing twice is closing once. */
  readonly close: (options?: RunOptions) => Promise<void>
}

interface Service {
  readonly send: <A>(...command: Command) => Effect.Effect<A, Failure>
  readonly pipeline: (
    commands: ReadonlyArray<Command>,
    options?: { readonly atomic?: boolean | undefined }
  ) => Effect.Effect<ReadonlyArray<unknown>, Failure>
  readonly use: <A>(f: (client: IoRedis, signal: AbortSignal) => Promise<A>) => Effect.Effect<A, Failure>
  readonly stats: Effect.Effect<Stats>
  readonly health: Effect.Effect<Health>
}

const runPromise = async <A, E>(effect: Effect.Effect<A, E>, options: RunOptions | undefined): Promise<A> => {
  const signal = options?.signal
  signal?.throwIfAborted()
  const exit = await Effect.runPromiseExit(effect, signal === undefined ? {} : { signal })
  if (Exit.isSuccess(exit)) return exit.value
  if (signal?.aborted === true && Cause.hasInterrupts(exit.cause)) throw signal.reason
  throw unwrapped(Cause.squash(exit.cause))
}

/** The program's own rejection, as it was. */
const unwrapped = (error: unknown): unknown =>
  isRedisError(error) && error.reason._tag === "Rejected" ? error.reason.cause : error

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
    client: {
      send: <A>(command: Command, given?: RunOptions) => runPromise(service.send<A>(...command), given),
      pipeline: (commands, given) => runPromise(service.pipeline(commands, given), given),
      use: (f, given) => runPromise(service.use(f), given)
    },
    stats: (given) => runPromise(service.stats, given),
    health: (given) => runPromise(service.health, given),
    close: (given) => runPromise(Effect.promise(close), given),
    [Symbol.asyncDispose]: close
  }
}
