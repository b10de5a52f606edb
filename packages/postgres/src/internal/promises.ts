/**
 * The same database for code outside Effect: promises that reject with the same typed errors, and an `AbortSignal` for
 * every call.
 *
 * @internal
 */
import type { Health } from "@breakwater/core/Backend"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/**
 * Settings of one call.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions {
  /** Ends the call; the promise then rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

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

/**
 * A database that runs until `close`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Started<Stats> extends AsyncDisposable {
  readonly client: Client
  readonly stats: (options?: RunOptions) => Promise<Stats>
  readonly health: (options?: RunOptions) => Promise<Health>
  /** Lets running work finish for five seconds. Closing twice is closing once. */
  readonly close: (options?: RunOptions) => Promise<void>
}

interface Service<Stats> {
  readonly sql: SqlClient
  readonly stats: Effect.Effect<Stats>
  readonly health: Effect.Effect<Health>
}

const runPromise = async <A, E>(effect: Effect.Effect<A, E>, options: RunOptions | undefined): Promise<A> => {
  const signal = options?.signal
  signal?.throwIfAborted()
  const exit = await Effect.runPromiseExit(effect, signal === undefined ? {} : { signal })
  if (Exit.isSuccess(exit)) return exit.value
  if (signal?.aborted === true && Cause.hasInterrupts(exit.cause)) throw signal.reason
  throw Cause.squash(exit.cause)
}

const queriesOf = (
  sql: SqlClient,
  run: <A>(effect: Effect.Effect<A, SqlError>, options: RunOptions | undefined) => Promise<A>
): Queries => ({
  query: <Row extends object>(text: string, parameters: ReadonlyArray<unknown> = [], options?: RunOptions) =>
    run(sql.unsafe<Row>(text, parameters), options)
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
    const queries = queriesOf(sql, (effect, options) => runPromise(Effect.provideContext(effect, context), options))
    return yield* Effect.tryPromise({ try: () => f(queries), catch: (cause) => new Rejected(cause) })
  }))

const clientOf = (sql: SqlClient): Client => ({
  ...queriesOf(sql, runPromise),
  transaction: async (f, options) => {
    try {
      return await runPromise(transactionOf(sql, f), options)
    } catch (error) {
      throw error instanceof Rejected ? error.cause : error
    }
  }
})

export const start = async <Stats, E>(
  make: Effect.Effect<Service<Stats>, E, Scope.Scope>,
  options: RunOptions | undefined
): Promise<Started<Stats>> => {
  const scope = Scope.makeUnsafe()
  const opened = Effect.onError(Scope.provide(make, scope), (cause) => Scope.close(scope, Exit.failCause(cause)))
  const service = await runPromise(opened, options)
  let closing: Promise<void> | undefined
  const close = () => closing ??= Effect.runPromise(Scope.close(scope, Exit.void))
  return {
    client: clientOf(service.sql),
    stats: (given) => runPromise(service.stats, given),
    health: (given) => runPromise(service.health, given),
    close: (given) => runPromise(Effect.promise(close), given),
    [Symbol.asyncDispose]: close
  }
}
