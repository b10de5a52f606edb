/** A Redis of ours on the file's server, quiet, and out of the process's registry. */
import { Backends, type PoolError } from "@breakwater/core"
import { Redis } from "@breakwater/redis"
import { FaultProxy, RedisServer } from "@breakwater/testing"
import { type Config, Effect, Exit, Logger, Redacted, type Scope } from "effect"

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

/** The URL of a server, through a proxy. */
export const through = (url: Redacted.Redacted, proxy: FaultProxy.FaultProxy): Redacted.Redacted => {
  const changed = new URL(Redacted.value(url))
  changed.hostname = proxy.host
  changed.port = String(proxy.port)
  return Redacted.make(changed.href)
}

export const proxied = Effect.gen(function*() {
  const server = yield* RedisServer.RedisServer
  const proxy = yield* FaultProxy.make({ target: server })
  return { proxy, server, url: through(server.url, proxy) }
})

/** Asks again until it holds; the test's own limit ends what never does. */
export const eventually = <E, R>(holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.repeat(Effect.andThen(Effect.sleep("20 millis"), holds), { until: (yes) => yes })

export const elapsed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration, value]) => ({ duration, value }))

export const succeeds = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<boolean, never, R> =>
  Effect.map(Effect.exit(effect), Exit.isSuccess)
