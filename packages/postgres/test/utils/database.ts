/** A database of ours on the run's server, quiet, and out of the process's registry. */
import { Backends } from "@breakwater/core"
import { Postgres } from "@breakwater/postgres"
import { FaultProxy, PostgresServer } from "@breakwater/testing"
import { Config, Effect, Logger, type Redacted, References, type Scope } from "effect"
import type { SqlError } from "effect/sql/SqlError"

export { eventually } from "@breakwater/testing/Eventually"

export const quiet = Effect.provide(Logger.layer([]))

export const open = (
  options: Omit<Postgres.Options, "name" | "url"> & { readonly url?: Redacted.Redacted; readonly name?: string } = {}
): Effect.Effect<
  Postgres.Postgres,
  SqlError | Config.ConfigError,
  Scope.Scope | PostgresServer.PostgresServer
> =>
  Effect.gen(function*() {
    const server = yield* PostgresServer.PostgresServer
    return yield* Backends.isolated(Postgres.make({ name: "orders", url: server.url, ...options }))
  }).pipe(quiet, Effect.provideService(References.MinimumLogLevel, "None"))

/**
 * With a server of the test's own: a given one may let everybody in, whatever the password, and give us the rights of a
 * superuser, for whom limits do not count.
 */
export const onOwnServer = Effect.provide(PostgresServer.layer({ sources: PostgresServer.ownSources }))

export const proxied = Effect.gen(function*() {
  const server = yield* PostgresServer.PostgresServer
  const proxy = yield* FaultProxy.make({ target: server })
  return { proxy, server, url: FaultProxy.through(server.url, proxy) }
})

/** Statements that run at the server, as its administrator sees them, but for the one that asks. */
export const running = (postgres: Postgres.Postgres, like: string) =>
  Effect.map(
    postgres.sql<{ count: number }>`
      select count(*)::int as count from pg_stat_activity
      where datname = current_database() and state = 'active' and pid <> pg_backend_pid() and query like ${like}`,
    ([row]) => row?.count ?? -1
  )

export const elapsed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration, value]) => ({ duration, value }))
