/** A Postgres with a table to read from, and the clients that do. */
import * as Postgres from "@breakwater/postgres/Postgres"
import * as PostgresServer from "@breakwater/testing/PostgresServer"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"

const ROWS = 1000

/** Connections beyond those of the largest pool: of the server itself, and of two candidates that are open at once. */
export const makeServer = (maxConnections: number) =>
  Effect.tap(PostgresServer.make({ maxConnections }), (server) =>
    Effect.scoped(Effect.gen(function*() {
      const sql = yield* bareClient(server, 1)
      yield* sql`create table item (id int primary key, name text not null)`
      yield* sql`insert into item select n, 'item ' || n from generate_series(1, ${ROWS}::int) n`
    })))

/** sql-pg's own pool. */
export const bareClient = ({ url }: PostgresServer.PostgresServer, maxConnections: number) =>
  Effect.provide(PgClient.make({ url, maxConnections }), Reactivity.layer)

export const breakwaterClient = ({ url }: PostgresServer.PostgresServer, max: number, maxWaiting = 1000) =>
  Effect.map(
    Postgres.make({ name: "bench", url, pool: { size: { max }, wait: { maxWaiting } } }),
    ({ sql }) => sql
  )

let next = 0

export const someId = (): number => next++ % ROWS + 1

/** One row by its primary key. */
export const lookup = (sql: SqlClient.SqlClient) => () => sql`select id, name from item where id = ${someId()}`

/** The same, over a connection made for it. */
export const lookupAlone = ({ url }: PostgresServer.PostgresServer) => () =>
  Effect.scoped(Effect.flatMap(
    PgConnection.make({ url }),
    (connection) => connection.query("select id, name from item where id = $1", [someId()])
  ))
