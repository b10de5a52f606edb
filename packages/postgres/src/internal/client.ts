/**
 * Effect SQL's client over the pool: each statement borrows for itself, and the policy sees it before the borrow.
 *
 * @internal
 */
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import type * as Queue from "effect/Queue"
import type * as Reactivity from "effect/reactivity/Reactivity"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import { PostgresError } from "../PostgresError.ts"
import * as PgConnectionOf from "./connection.ts"
import * as Lease from "./lease.ts"
import { onLive, type Told } from "./session.ts"
import type { Settings } from "./settings.ts"
import { toSqlError } from "./sqlError.ts"
import { controlOf } from "./statement.ts"

/** What the client works with. */
export type Parts = Lease.Parts

const runPooled = ({ operations, policies, pool, settings }: Parts): PgConnectionOf.Run => (sql, _nothing, statement) =>
  Effect.withFiber((fiber) => {
    const { borrow, operation } = operations.outside(sql, fiber.context)
    const opens = controlOf(sql) === "begin"
    const told: Told = { cancelled: false }
    return Policy.run(policies.outside, operation, (attempt) =>
      onLive(
        settings,
        Pool.use(pool, (session) => {
          const work = attempt(session.statement(sql, statement(session.pg), told))
          // A transaction that nobody holds: the session must not be lent again.
          return opens
            ? Effect.ensuring(work, Effect.sync(() => session.retire("Invalidated")))
            : work
        }, borrow)
      )).pipe(Effect.mapError((error) => toSqlError(error, operation.idempotent || told.cancelled)))
  })

const lease = (parts: Parts, label: string) => Lease.acquire(parts, `${parts.settings.name}.${label}`)

const pooled = (parts: Parts): Connection =>
  PgConnectionOf.make(
    runPooled(parts),
    (sql, stream) => Effect.flatMap(lease(parts, "stream"), (held) => held.runStream(sql, stream))
  )

const leased = (parts: Parts): Effect.Effect<Connection, SqlError, Scope.Scope> =>
  Effect.map(lease(parts, "transaction"), (held) => PgConnectionOf.make(held.run, held.runStream))

/** Postgres answers ROLLBACK to the COMMIT of an aborted transaction, which would else count as committed. */
const commit = (name: string) => (connection: Connection): Effect.Effect<void, SqlError> =>
  Effect.flatMap(connection.executeRaw("COMMIT", []), (result) => {
    // Our own connections give sql-pg's result.
    const { command } = result as PgConnection.Result
    return command === "ROLLBACK"
      ? Effect.fail(toSqlError(new PostgresError({ _tag: "TransactionAborted", pool: name }), false))
      : Effect.void
  })

/** Holds a session until the scope closes. */
const listen =
  (parts: Parts) =>
  (channel: string): Effect.Effect<Queue.Dequeue<PgConnection.Notification, SqlError>, SqlError, Scope.Scope> =>
    Effect.gen(function*() {
      const held = yield* lease(parts, "listen")
      let disarm: (() => void) | undefined
      yield* Effect.addFinalizer(() => Effect.sync(() => disarm?.()))
      const listening = held.listen(channel)
      const queue = yield* Effect.mapError(
        Policy.run(parts.policies.inside, parts.operations.listen.operation, (attempt) => attempt(listening)),
        (error) => toSqlError(error, true)
      )
      // sql-pg says UNLISTEN when the scope closes and waits for the answer, which may never come.
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          disarm = held.session.destroyAfter(Lease.CLEANUP_LIMIT)
        })
      )
      return queue
    })

const spanAttributes = ({ hosts, name, server }: Settings): ReadonlyArray<readonly [string, unknown]> => [
  ["db.system.name", "postgresql"],
  ["db.namespace", server.database ?? server.username ?? "postgres"],
  // Of several it is not known which one it will be.
  ...(hosts.length > 1 ? [] : [["server.address", hosts[0].host], ["server.port", hosts[0].port]] as const),
  ["db.client.connection.pool.name", name]
]

interface PgJson extends Statement.Custom<"PgJson", unknown> {}

const PgJson = Statement.custom<PgJson>("PgJson")

const configOf = ({ applicationName, hosts: [host], prepare, server, ssl }: Settings): PgClient.PgClientConfig => ({
  ...host,
  database: server.database,
  username: server.username,
  password: server.password,
  ssl: ssl !== false,
  applicationName,
  prepare
})

export const make = (parts: Parts): Effect.Effect<PgClient.PgClient, never, Reactivity.Reactivity> =>
  Effect.gen(function*() {
    const { settings } = parts
    const { json, queryNames, resultNames } = settings.transform
    const connection = pooled(parts)
    const client = yield* SqlClient.make({
      acquirer: Effect.succeed(connection),
      borrower: (f) => f(connection),
      transactionAcquirer: leased(parts),
      compiler: PgClient.makeCompiler(queryNames, json),
      driver: "pg",
      commit: commit(settings.name),
      releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
      prepareTransactionControls: true,
      spanAttributes: spanAttributes(settings),
      ...(resultNames !== undefined && { transformRows: Statement.defaultTransforms(resultNames, json).array })
    })
    return Object.assign(client, {
      [PgClient.TypeId]: PgClient.TypeId,
      config: configOf(settings),
      json: (value: unknown) => Statement.fragment([PgJson(value)]),
      listen: listen(parts),
      notify: (channel: string, payload: string) => Effect.asVoid(client`select pg_notify(${channel}, ${payload})`.raw)
    })
  })
