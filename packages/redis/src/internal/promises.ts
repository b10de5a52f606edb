/**
 * The same Redis for code outside Effect: promises that reject with the same typed errors, and an `AbortSignal` for
 * every call.
 *
 * @internal
 */
import { run, type RunOptions, type Started as Running } from "@breakwater/core/Promises"
import * as Effect from "effect/Effect"
import type { Redis as IoRedis } from "ioredis"
import { isRedisError } from "../RedisError.ts"
import type { Stats } from "./backend.ts"
import type { Command, Failure } from "./client.ts"

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
export type Started = Running<Client, Stats>

interface Service {
  readonly send: <A>(...command: Command) => Effect.Effect<A, Failure>
  readonly pipeline: (
    commands: ReadonlyArray<Command>,
    options?: { readonly atomic?: boolean | undefined }
  ) => Effect.Effect<ReadonlyArray<unknown>, Failure>
  readonly use: <A>(f: (client: IoRedis, signal: AbortSignal) => Promise<A>) => Effect.Effect<A, Failure>
}

/** The program's own rejection, as it was. */
const unwrapped = (error: Failure): unknown =>
  isRedisError(error) && error.reason._tag === "Rejected" ? error.reason.cause : error

const runUnwrapped = <A>(effect: Effect.Effect<A, Failure>, options: RunOptions | undefined): Promise<A> =>
  run(Effect.mapError(effect, unwrapped), options)

export const clientOf = (service: Service): Client => ({
  send: <A>(command: Command, given?: RunOptions) => runUnwrapped(service.send<A>(...command), given),
  pipeline: (commands, given) => runUnwrapped(service.pipeline(commands, given), given),
  use: (f, given) => runUnwrapped(service.use(f), given)
})
