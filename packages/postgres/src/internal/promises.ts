/**
 * The same database for code outside Effect: promises that reject with the same typed errors, and an `AbortSignal` for
 * every call.
 *
 * @internal
 */
import { run, type RunOptions } from "@breakwater/core/Promises"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/**
 * What runs statements.
 *
 * @since 0.1.0
 * @category models
 */
export interface Queries {
  /** Runs a statement with parameters `$1`, `$2` …; gives its rows. Rejects with a `SqlError`. */
  readonly query: <Row extends object = Record<string, unknown>>(
    sql: string,
    parameters?: ReadonlyArray<unknown>,
    options?: RunOptions
  ) => Promise<ReadonlyArray<Row>>
}

/**
 * Statements and transactions as promises.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client extends Queries {
  /**
   * Commits when the promise of `f` resolves, rolls back when it rejects, and then rejects with the same. Only what
   * goes through the given `Queries` is part of the transaction.
   */
  readonly transaction: <A>(f: (transaction: Queries) => Promise<A>, options?: RunOptions) => Promise<A>
}

const queriesOf = (
  sql: SqlClient,
  running: <A>(effect: Effect.Effect<A, SqlError>, options: RunOptions | undefined) => Promise<A>
): Queries => ({
  query: <Row extends object>(text: string, parameters: ReadonlyArray<unknown> = [], options?: RunOptions) =>
    running(sql.unsafe<Row>(text, parameters), options)
})

/** The program's own rejection, carried through the transaction as it is. */
class Rejected {
  readonly cause: unknown
  constructor(cause: unknown) {
    this.cause = cause
  }
}

const transactionOf = <A>(sql: SqlClient, f: (transaction: Queries) => Promise<A>) =>
  sql.withTransaction(Effect.gen(function*() {
    const context = yield* Effect.context()
    const queries = queriesOf(sql, (effect, options) => run(Effect.provideContext(effect, context), options))
    return yield* Effect.tryPromise({ try: () => f(queries), catch: (cause) => new Rejected(cause) })
  }))

export const clientOf = ({ sql }: { readonly sql: SqlClient }): Client => ({
  ...queriesOf(sql, run),
  transaction: async (f, options) => {
    try {
      return await run(transactionOf(sql, f), options)
    } catch (error) {
      throw error instanceof Rejected ? error.cause : error
    }
  }
})
