/**
 * Resilient Postgres for Effect: sql-pg sessions in a Breakwater pool, behind SqlClient. Written by `npm run check --
 * --fix` from the modules' own comments.
 *
 * @since 0.1.0
 */

/**
 * Postgres behind Effect's own `SqlClient` and `PgClient`: sessions of @effect/sql-pg in a Breakwater pool, policies
 * around every statement, every failure a `SqlError` whose cause says who is to blame.
 *
 * @since 0.1.0
 */
export * as Postgres from "./Postgres.ts"

/**
 * What can go wrong with a session and with a transaction, beyond what the server answers. These errors are the causes
 * of the `SqlError`s that the client fails with; `fromSqlError` gives them back.
 *
 * @since 0.1.0
 */
export * as PostgresError from "./PostgresError.ts"

/**
 * How Postgres' errors count for policies, and whether a statement that failed can have taken effect.
 *
 * @since 0.1.0
 */
export * as PostgresOutcome from "./PostgresOutcome.ts"
