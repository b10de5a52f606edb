/**
 * The parts put together: sessions in a pool, the client over it, what watches it.
 *
 * @internal
 */
import { type Backend, type Health, type Limits, makeOperations, ofPool, probe } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as CallPolicy from "@breakwater/core/CallPolicy"
import * as CircuitBreaker from "@breakwater/core/CircuitBreaker"
import * as LogLine from "@breakwater/core/LogLine"
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import type { PoolEvent } from "@breakwater/core/PoolEvent"
import * as ReadyLine from "@breakwater/core/ReadyLine"
import * as RetryBudget from "@breakwater/core/RetryBudget"
import * as Validate from "@breakwater/core/Validate"
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import * as Client from "./client.ts"
import { Operations } from "./operations.ts"
import { check as checkRole } from "./role.ts"
import { Room } from "./room.ts"
import * as Session from "./session.ts"
import { following, type Policies, type Settings } from "./settings.ts"
import { toSqlError } from "./sqlError.ts"
import { StatementLog } from "./statementLog.ts"

export interface Parts extends Client.Parts {
  readonly client: PgClient.PgClient
  readonly backend: Backend
  readonly cancels: Session.Cancels
}

/** A little less than health may take, so that a pool that has run dry can say who holds it. */
const HEALTH_WAIT = Duration.millis(900)

/** Ahead of everybody who waits: whoever asks wants to know now. */
const HEALTH_PRIORITY = Number.MAX_SAFE_INTEGER

const ping = (session: Session.Session) => {
  const { backing: { settings: { role } }, pg } = session
  return session.runUncounted<unknown>(
    role === "any" ? pg.query("select 1", [], false) : checkRole(pg, role, session.misplaced)
  )
}

/** It is no statement of the program's, and no time of its that is wasted. */
const lentPing = (session: Session.Session) =>
  Effect.suspend(() => {
    session.activity.occupy()
    return ping(session)
  })

const health = ({ pool, settings }: Client.Parts): Effect.Effect<Health> =>
  Session.onLive(
    settings,
    Pool.use(pool, lentPing, {
      priority: HEALTH_PRIORITY,
      timeout: HEALTH_WAIT,
      label: `${settings.name}.health`
    })
  ).pipe(
    Effect.mapError((failure) => toSqlError(failure, true)),
    probe
  )

const poolOf = (
  settings: Settings,
  cancels: Session.Cancels,
  operations: ReturnType<typeof makeOperations>,
  room: Room,
  onBack: Effect.Effect<void>
) => {
  let pool: Pool.Pool<Session.Session> | undefined
  const backing: Session.Backing = {
    settings,
    cancels,
    operations,
    log: new StatementLog(settings),
    foundAt: 0,
    onUnfit: (session, why) => pool === undefined ? undefined : Effect.runSync(Pool.invalidate(pool, session, why))
  }
  const made = Validate.within("pool", () =>
    Pool.make({
      ...settings.pool,
      name: settings.name,
      acquire: RetryBudget.reconnecting(settings.budget, Effect.tap(Session.open(backing), room.look), onBack),
      check: { ...settings.pool.check, test: ping, isAlive: (session) => session.isAlive },
      activity: (session) => session.activity
    }))
  return Effect.tap(made, (ready) =>
    Effect.sync(() => {
      pool = ready
    }))
}

const placeOf = ({ hosts, server }: Settings): string =>
  `${hosts.map(({ host, path, port }) => path ?? `${host}:${port}`).join(",")}/${server.database ?? ""}`

/** Of a number the server takes as milliseconds; it may be text with a unit. */
const statementTimeoutOf = ({ startupParameters }: Settings): Duration.Duration | string | undefined => {
  const given = startupParameters["statement_timeout"]
  return given !== undefined && /^[1-9]\d*$/.test(given) ? Duration.millis(Number(given)) : given
}

const readyOf = (settings: Settings, { outside }: Policies): ReadyLine.Options => {
  const { pool, prepare, replicas, role, ssl } = settings
  return {
    at: placeOf(settings),
    policy: Policy.snapshot(outside),
    facts: {
      start: LogLine.unless(pool.start, "background"),
      statement_timeout: statementTimeoutOf(settings),
      target: LogLine.unless(role, "any"),
      prepare: prepare ? undefined : "off",
      tls: ssl === "prefer" ? "preferred" : ReadyLine.tls(ssl !== false, typeof ssl === "object" ? ssl : {}),
      replicas: LogLine.unless(replicas, 1)
    }
  }
}

const describeEvent = (event: PoolEvent): string => {
  switch (event._tag) {
    case "Dialed":
      return `opened in ${Math.round(Duration.toMillis(event.took))} ms`
    case "DialFailed":
      return "not opened"
    case "Acquired":
      return "lent"
    case "Returned":
      return "came back"
    case "Closed":
      return `closed: ${event.reason}`
    default:
      return event._tag
  }
}

const echoConnections = ({ pool, settings: { name } }: Client.Parts): Effect.Effect<void> =>
  Stream.runForEach(
    Pool.events(pool),
    (event) => Effect.logInfo(`postgres "${name}": session ${describeEvent(event)}`)
  )

const limitsOf = (
  { policies: { outside }, settings: { dialTimeout: dial, waitTimeout: wait } }: Client.Parts
): Limits => ({
  wait,
  dial,
  ...Policy.limits(outside)
})

const backendOf = (parts: Client.Parts, measurements: ReturnType<typeof makeOperations>, room: Room): Backend => {
  const { policies: { borrowing, inside, opening, outside }, pool, settings } = parts
  const policies = [outside, opening, borrowing, inside] as const
  return {
    name: settings.name,
    kind: "postgres",
    critical: settings.critical,
    profile: settings.profile,
    poolType: settings.poolType,
    overrides: settings.overrides,
    get limits() {
      return limitsOf(parts)
    },
    ...ofPool(pool),
    health: health(parts),
    policy: Effect.sync(() => CallPolicy.snapshot(policies)),
    ...CallPolicy.steering(policies),
    events: Stream.merge(Pool.events(pool), CallPolicy.events(policies), { haltStrategy: "left" }),
    changes: Stream.merge(Pool.changes(pool), CallPolicy.changes(policies), { haltStrategy: "left" }),
    situation: Effect.sync(() => room.situation),
    detail: Effect.map(Pool.detail(pool), (detail) => ({
      ...detail,
      times: { ...detail.times, operation: measurements.times.snapshot() },
      failures: measurements.failures
    }))
  }
}

/** What one run of `make` has for itself. */
const begin = (given: Settings) => {
  let clear: Effect.Effect<void> = Effect.void
  const policies = given.policies(Effect.suspend(() => clear))
  const settings = following(given, policies.outside)
  const cancels: Session.Cancels = { limit: settings.pool.dial?.concurrency ?? 2, open: 0, sent: 0, cut: 0 }
  const measurements = makeOperations()
  const room = new Room(settings)
  // What is back is tried by the next calls, and not when the circuit's time is over.
  const opened = Effect.tap(
    poolOf(settings, cancels, measurements, room, CircuitBreaker.probe(policies.outside)),
    (pool) =>
      Effect.sync(() => {
        clear = Pool.clear(pool)
      })
  )
  return { policies, settings, cancels, measurements, room, opened }
}

/** Throws what `Pool.make` throws, by the call. */
export const make = (
  given: Settings
): Effect.Effect<Parts, SqlError, Scope.Scope | Reactivity.Reactivity> => {
  begin(given)
  return Effect.gen(function*() {
    const { cancels, measurements, opened, policies, room, settings } = begin(given)
    for (const warning of settings.warnings) yield* Effect.logWarning(`postgres "${settings.name}": ${warning}`)
    const pool = yield* Effect.mapError(opened, (error) => toSqlError(error, true))
    const operations = new Operations(settings.name, settings.readsAreIdempotent)
    const parts: Client.Parts = { pool, settings, operations, policies }
    const client = yield* Client.make(parts)
    const backend = backendOf(parts, measurements, room)
    // It ends with the pool, whose last events come when the scope is closing.
    if (settings.log.connections) yield* Effect.forkDetach(echoConnections(parts), { startImmediately: true })
    yield* Backends.register(backend)
    yield* ReadyLine.write(backend, readyOf(settings, policies))
    return { ...parts, client, backend, cancels }
  })
}
