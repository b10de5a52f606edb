/** A Redis of ours on the file's server, quiet, and out of the process's registry. */
import { Backends, type PoolError } from "@breakwater/core"
import { Redis } from "@breakwater/redis"
import { FaultProxy, RedisServer } from "@breakwater/testing"
import { type Config, Effect, Exit, Logger, type Redacted, type Scope } from "effect"

export { eventually } from "@breakwater/testing/Eventually"

export const quiet = Effect.provide(Logger.layer([]))

let opened = 0

/** Names are of one test each: by them the server counts connections. */
export const freshName = (): string => `redis-${process.pid}-${++opened}`

export const open = (
  options: Omit<Redis.Options, "name" | "url"> & { readonly url?: Redacted.Redacted; readonly name?: string } = {}
): Effect.Effect<
  Redis.Redis,
  PoolError.PoolError | Config.ConfigError,
  Scope.Scope | RedisServer.RedisServer
> =>
  Effect.gen(function*() {
    const server = yield* RedisServer.RedisServer
    return yield* Backends.isolated(Redis.make({ name: freshName(), url: server.url, ...options }))
  }).pipe(quiet)

export const proxied = Effect.gen(function*() {
  const server = yield* RedisServer.RedisServer
  const proxy = yield* FaultProxy.make({ target: server })
  return { proxy, server, url: FaultProxy.through(server.url, proxy) }
})

export const elapsed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration, value]) => ({ duration, value }))

export const succeeds = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<boolean, never, R> =>
  Effect.map(Effect.exit(effect), Exit.isSuccess)
