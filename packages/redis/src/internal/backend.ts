/**
 * The parts put together: connections in a pool, some of them shared, and what watches them.
 *
 * @internal
 */
import { type Backend, type Detail, type Health, type Limits, makeOperations, probe } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as CallPolicy from "@breakwater/core/CallPolicy"
import * as CircuitBreaker from "@breakwater/core/CircuitBreaker"
import * as LogLine from "@breakwater/core/LogLine"
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import type { PoolError } from "@breakwater/core/PoolError"
import * as ReadyLine from "@breakwater/core/ReadyLine"
import * as RetryBudget from "@breakwater/core/RetryBudget"
import * as Sizing from "@breakwater/core/Sizing"
import * as Validate from "@breakwater/core/Validate"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as EffectRedis from "effect/persistence/Redis"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Client from "./client.ts"
import * as Connection from "./connection.ts"
import { fromCommand } from "./driverError.ts"
import { Operations } from "./operations.ts"
import * as Persistence from "./persistence.ts"
import type { Policies, Settings } from "./settings.ts"
import { labelOf, Shared } from "./shared.ts"

/**
 * The pool's numbers, in which a shared connection is one that is used, and `waiting` are the callers who wait for a
 * connection of either kind.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends Pool.Stats {
  /** Shared connections that are open. */
  readonly shared: number
  /** Calls under way on them. */
  readonly inFlight: number
}

export interface Parts extends Client.Parts {
  readonly backend: Backend
  readonly persistence: EffectRedis.Redis["Service"]
  readonly stats: Effect.Effect<Stats>
}

const ROOM_LIMIT = Duration.seconds(1)

const CLOSE_GRACE = Duration.seconds(5)

const ping = (settings: Settings, connection: Connection.Connection) =>
  Effect.tryPromise({
    try: () => connection.driver.ping(),
    catch: (error) => fromCommand(settings, "ping", error)
  })

const healthOf = ({ settings, shared }: Client.Parts): Effect.Effect<Health> =>
  probe(shared.use((connection) => ping(settings, connection)))

/** Warns once when the pool may grow beyond what the server has room for; a server that does not say has its reasons. */
const warnOfRoom = ({ max, name, replicas }: Settings, { driver }: Connection.Connection): Effect.Effect<void> =>
  Effect.tryPromise(() => driver.info("clients")).pipe(
    Effect.timeout(ROOM_LIMIT),
    Effect.flatMap((info) => {
      const room = Number(/^maxclients:(\d+)/m.exec(info)?.[1])
      const much = Number.isNaN(room) ? undefined : Sizing.overcommitted(max, replicas, room)
      return much === undefined ? Effect.void : Effect.logWarning(`redis "${name}": connections.max is ${much}`)
    }),
    Effect.ignore
  )

const poolOf = (settings: Settings, onBack: Effect.Effect<void>) => {
  let asked = false
  const acquire = RetryBudget.reconnecting(
    settings.budget,
    Effect.tap(Connection.open(settings), (connection) => {
      if (asked) return Effect.void
      asked = true
      return Effect.forkScoped(warnOfRoom(settings, connection))
    }),
    onBack
  )
  return Validate.within("pool", () =>
    Pool.make({
      ...settings.pool,
      name: settings.name,
      acquire,
      check: {
        ...settings.pool.check,
        test: (connection) => ping(settings, connection),
        isAlive: (connection) => connection.isAlive
      },
      activity: ({ driver }) => driver.activity
    }))
}

const readyOf = (settings: Settings, policies: Policies): ReadyLine.Options => {
  const { interval, pool, replicas, server, shared, tls } = settings
  return {
    at: `${server.host}:${server.port}/${server.database}`,
    policy: Policy.snapshot(policies.shared),
    facts: {
      shared,
      start: LogLine.unless(pool.start, "background"),
      check_every: interval,
      tls: ReadyLine.tls(tls !== undefined, tls),
      replicas: LogLine.unless(replicas, 1)
    }
  }
}

const statsOf = ({ pool, shared }: Client.Parts): Effect.Effect<Stats> =>
  Effect.map(Pool.stats(pool), (stats) => {
    const { inUse, open, slots, waiting } = shared.numbers
    return { ...stats, waiting: Math.max(0, stats.waiting - slots) + waiting, shared: open, inFlight: inUse }
  })

/** Who holds a connection that is shared is nobody. */
const detailOf = ({ pool, sent, settings }: Client.Parts): Effect.Effect<Detail> =>
  Effect.map(Pool.detail(pool), (detail) => ({
    ...detail,
    times: { ...detail.times, operation: sent.times.snapshot() },
    failures: sent.failures,
    holders: detail.holders.filter(({ label }) => label !== labelOf(settings))
  }))

const drain = ({ pool, shared }: Client.Parts, deadline: Duration.Input) =>
  Effect.suspend(() => {
    shared.close()
    return Pool.drain(pool, deadline)
  })

const limitsOf = ({ policies, settings: { dialTimeout: dial, waitTimeout: wait } }: Client.Parts): Limits => ({
  wait,
  dial,
  ...Policy.limits(policies.shared)
})

const clear = (pool: Client.Parts["pool"], shared: Shared, options?: { readonly interrupt?: boolean | undefined }) =>
  Effect.tap(Pool.clear(pool, options), () => Effect.sync(() => shared.clear()))

const backendOf = (parts: Client.Parts): Backend => {
  const { pool, settings, shared } = parts
  const policies = [parts.policies.shared, parts.policies.reserving, parts.policies.held] as const
  return {
    name: settings.name,
    kind: "redis",
    critical: settings.critical,
    profile: settings.profile,
    poolType: settings.poolType,
    overrides: settings.overrides,
    get limits() {
      return limitsOf(parts)
    },
    stats: statsOf(parts),
    health: healthOf(parts),
    policy: Effect.sync(() => CallPolicy.snapshot(policies)),
    ...CallPolicy.steering(policies),
    events: Stream.merge(Pool.events(pool), CallPolicy.events(policies), { haltStrategy: "left" }),
    changes: Stream.merge(Pool.changes(pool), CallPolicy.changes(policies), { haltStrategy: "left" }),
    detail: detailOf(parts),
    warm: shared.warm,
    clear: (options) => clear(pool, shared, options),
    drain: (deadline) => drain(parts, deadline),
    pause: Effect.andThen(Pool.pause(pool), Effect.sync(() => shared.pause())),
    resume: Effect.andThen(Pool.resume(pool), Effect.sync(() => shared.resume()))
  }
}

/** What one run of `make` has for itself. */
const begin = (settings: Settings) => {
  let clears: Effect.Effect<void> = Effect.void
  const policies = settings.policies(Effect.suspend(() => clears))
  // What is back is tried by the next commands, and not when the circuit's time is over.
  const opened = Effect.map(poolOf(settings, CircuitBreaker.probe(policies.shared)), (pool) => {
    const shared = new Shared(pool, settings, policies.shared)
    clears = clear(pool, shared)
    return { pool, shared }
  })
  return { policies, opened }
}

/** Throws what `Pool.make` throws, by the call. */
export const make = (settings: Settings): Effect.Effect<Parts, PoolError, Scope.Scope> => {
  begin(settings)
  return Effect.gen(function*() {
    const { opened, policies } = begin(settings)
    for (const warning of settings.warnings) yield* Effect.logWarning(`redis "${settings.name}": ${warning}`)
    const { pool, shared } = yield* opened
    const sent = makeOperations()
    const client: Client.Parts = { pool, settings, shared, policies, operations: new Operations(settings.name), sent }
    yield* Policy.detached(shared.run)
    // Before the slots end: what runs on them may finish.
    yield* Effect.addFinalizer(() => drain(client, CLOSE_GRACE))
    // Ends before the drain, which would wait until it lets go of the idle connections that it keeps.
    const persistence = yield* Persistence.make(client)
    if (settings.pool.start === "fail-fast") yield* shared.warm
    const backend = backendOf(client)
    yield* Backends.register(backend)
    yield* ReadyLine.write(backend, readyOf(settings, policies))
    return { ...client, backend, persistence, stats: statsOf(client) }
  })
}
