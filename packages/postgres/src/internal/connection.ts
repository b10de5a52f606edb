/**
 * Effect SQL's `Connection` in terms of one function that runs something on a session. What a statement needs around
 * it (a borrow, a policy, a transaction's session) is the caller's.
 *
 * @internal
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"

/** Runs something on a session. `sql` is what it will run; `nothing` is what it gives where there is nothing to do. */
export type Run = <A>(
  sql: string,
  nothing: A,
  statement: (pg: PgConnection.PgConnection) => Effect.Effect<A, SqlError>
) => Effect.Effect<A, SqlError>

/** Streams rows of a session that is held until the stream ends. */
export type RunStream = (
  sql: string,
  stream: (pg: PgConnection.PgConnection) => Stream.Stream<PgConnection.Row, SqlError>
) => Effect.Effect<Stream.Stream<PgConnection.Row, SqlError>, SqlError, Scope.Scope>

type TransformRows = (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

const NO_ROWS: ReadonlyArray<PgConnection.Row> = []
const NO_VALUES: ReadonlyArray<ReadonlyArray<unknown>> = []
const NO_RESULT: PgConnection.Result = { command: "", rowCount: 0, oid: null, rows: NO_ROWS, fields: [] }

const rowsOf = (result: PgConnection.Result) => result.rows

const isRows = (rows: ReadonlyArray<PgConnection.Row>): rows is Arr.NonEmptyReadonlyArray<PgConnection.Row> =>
  rows.length > 0

export const make = (run: Run, runStream: RunStream): Connection => {
  const rows = (prepare: boolean) => (sql: string, params: ReadonlyArray<unknown>, transformRows: TransformRows) => {
    const found = run(sql, NO_ROWS, (pg) => Effect.map(pg.query(sql, params, prepare), rowsOf))
    return transformRows === undefined ? found : Effect.map(found, transformRows)
  }
  const values = (prepare: boolean) => (sql: string, params: ReadonlyArray<unknown>) =>
    run(sql, NO_VALUES, (pg) => pg.queryValues(sql, params, prepare))
  return {
    execute: rows(true),
    executeUnprepared: rows(false),
    executeRaw: (sql, params) => run(sql, NO_RESULT, (pg) => pg.query(sql, params)),
    executeValues: values(true),
    executeValuesUnprepared: values(false),
    executeStream: (sql, params, transformRows) => {
      const stream = Stream.unwrap(runStream(sql, (pg) => pg.stream(sql, params)))
      return transformRows === undefined
        ? stream
        : Stream.mapArray(stream, (chunk) => {
          const transformed = transformRows(chunk)
          return isRows(transformed) ? transformed : chunk
        })
    }
  }
}
