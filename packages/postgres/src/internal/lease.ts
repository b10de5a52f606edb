/**
 * A session held for longer than a statement: by a transaction, a stream, a listener, `reserve`, `use`.
 *
 * Inside a transaction nothing is repeated, since what came before is part of it. ROLLBACK and RELEASE never fail:
 * Effect SQL runs them where a failure would be a defect and would hide the program's own error. Where they do not get
 * through, the session is closed instead, by which the server rolls back, and every later statement fails, COMMIT first
 * of all.
 *
 * @internal
 */
import * as Activity from "@breakwater/core/Activity"
import * as Operation from "@breakwater/core/Operation"
import * as Policy from "@breakwater/core/Policy"
import type { AttemptTimeout } from "@breakwater/core/PolicyError"
import type { PolicyError } from "@breakwater/core/PolicyError"
import * as Pool from "@breakwater/core/Pool"
import type { PoolError } from "@breakwater/core/PoolError"
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { PostgresError } from "../PostgresError.ts"
import type { Run, RunStream } from "./connection.ts"
import type { Operations } from "./operations.ts"
import { waivesWrites } from "./role.ts"
import { isLost, onLive, type Session, type Told } from "./session.ts"
import type { Policies, Settings } from "./settings.ts"
import { type Failure, toSqlError } from "./sqlError.ts"
import { type Control, controlOf } from "./statement.ts"

/** How long a ROLLBACK, a RELEASE or an UNLISTEN may take before the session is closed instead. */
export const CLEANUP_LIMIT = Duration.seconds(1)

/** What leases are made from. */
export interface Parts {
  readonly pool: Pool.Pool<Session>
  readonly settings: Settings
  readonly policies: Policies
  readonly operations: Operations
}

export class Lease {
  /** Set by `take`, before anybody runs anything. */
  session!: Session
  pg!: PgConnection.PgConnection
  private scope: Scope.Closeable = Scope.makeUnsafe()
  private started = false
  private inTransaction = false
  private waived = false
  /** One statement at a time: giving up on one that waits must not cancel the one that runs. */
  private readonly turn = Semaphore.makeUnsafe(1)
  /** Why the session went away; from then on nothing is sent. */
  private lostBy: { readonly cause: unknown } | undefined
  readonly parts: Parts
  private readonly label: string

  constructor(parts: Parts, label: string) {
    this.parts = parts
    this.label = label
  }

  /** Borrows a session, in place of one that was lost before anything ran on it. */
  readonly take: Effect.Effect<void, PoolError> = Effect.suspend(() => {
    const before = this.scope
    const scope = this.scope = Scope.makeUnsafe()
    const borrowed = Pool.get(this.parts.pool, { label: this.label }).pipe(
      Effect.flatMap((session) => {
        this.session = session
        return session.pg.pin
      }),
      Effect.map((pg) => {
        this.pg = pg
      })
    )
    return Effect.andThen(Scope.close(before, Exit.void), Scope.provide(borrowed, scope))
  })

  readonly release: Effect.Effect<void> = Effect.suspend(() => {
    // Whoever borrows it next must not find himself in somebody's transaction.
    if (this.inTransaction) this.session.retire("Invalidated")
    if (this.waived) this.session.waived = false
    return Scope.close(this.scope, Exit.void)
  })

  readonly run: Run = (sql, nothing, statement) => {
    const control = controlOf(sql)
    switch (control) {
      case "rollback":
      case "rollbackTo":
      case "release":
        return this.cleanUp(sql, control, nothing, statement)
      case "begin":
        return Effect.suspend(() => this.begin(sql, statement))
      case "commit":
      case "chain":
        return Effect.suspend(() => this.commit(sql, control, statement))
      case undefined:
        return Effect.suspend(() => this.statement(sql, statement))
    }
  }

  /** Runs a raw statement as it is; remembers what it does to the session. */
  watch<A>(sql: string, statement: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> {
    return Effect.suspend(() => {
      const control = controlOf(sql)
      if (control === "begin" || control === "chain") this.inTransaction = true
      this.heedWaiver(sql)
      const { activity, heed } = this.session
      return Effect.onExitPrimitive(Effect.mapError(Activity.during(statement, activity), heed), (exit) => {
        if (exit._tag === "Success") this.ended(control)
        // A late CancelRequest would hit whoever borrows the session next.
        else if (Cause.hasInterrupts(exit.cause)) this.session.retire("Cancelled")
        return undefined
      })
    })
  }

  /** To wait for what is told there is what the session is held for, until it comes back. */
  listen(channel: string): ReturnType<PgConnection.PgConnection["listen"]> {
    return Effect.suspend(() => {
      this.session.activity.occupy()
      return this.pg.listen(channel)
    })
  }

  /** What its reader does between the chunks is no work of the server's. */
  private pulled<A, E, R>(rows: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> {
    const { activity } = this.session
    return Stream.transformPull(rows, (pull) => Effect.succeed(Activity.during(pull, activity)))
  }

  /** As `watch`, for rows that are streamed. */
  watchStream<A>(sql: string, rows: Stream.Stream<A, SqlError>): Stream.Stream<A, SqlError> {
    return Stream.unwrap(Effect.as(this.watch(sql, Effect.void), this.pulled(rows)))
  }

  readonly runStream: RunStream = (sql, stream) =>
    Effect.suspend(() => {
      if (this.lostBy !== undefined) return Effect.fail(this.gone())
      this.started = true
      const { deadline = Duration.infinity, timeout = deadline } = Policy.limits(this.parts.policies.inside)
      const rows = Stream.mapError(this.pulled(stream(this.pg)), (error) => {
        const failure = this.session.streamFailure(error)
        if (failure !== error) this.lostBy ??= { cause: failure }
        return toSqlError(failure, false)
      })
      return Effect.succeed(Stream.timeoutOrElse(rows, {
        duration: timeout,
        orElse: () => Stream.fail(toSqlError(this.parts.operations.silence(sql, timeout), false))
      }))
    })

  private statement<A>(sql: string, statement: (pg: PgConnection.PgConnection) => Effect.Effect<A, SqlError>) {
    if (this.lostBy !== undefined) return Effect.fail(this.gone())
    this.started = true
    this.heedWaiver(sql)
    return Effect.withFiber<A, SqlError>((fiber) => {
      const { operation } = this.parts.operations.inTransaction(sql, fiber.context)
      const told: Told = { cancelled: false }
      return Effect.mapError(
        this.attempt(sql, operation, statement, told),
        (error) => toSqlError(error, operation.idempotent || told.cancelled)
      )
    })
  }

  /** One attempt on this very session. */
  private attempt<A>(
    sql: string,
    operation: Operation.Operation,
    statement: (pg: PgConnection.PgConnection) => Effect.Effect<A, SqlError>,
    told?: Told
  ): Effect.Effect<A, SqlError | PostgresError | PolicyError> {
    const attempted = Policy.run(
      this.parts.policies.inside,
      operation,
      (attempt: Policy.Attempt<PolicyError<AttemptTimeout>>) =>
        this.turn.withPermit(attempt(Effect.suspend(() => this.session.statement(sql, statement(this.pg), told))))
    )
    return Effect.tapError(attempted, (error) => {
      // What was cut or cancelled is gone for the whole transaction.
      if (!this.session.isAlive) this.lostBy ??= { cause: error }
      return Effect.void
    })
  }

  /** Nothing was sent before, so another session does as well. */
  private begin<A>(sql: string, statement: (pg: PgConnection.PgConnection) => Effect.Effect<A, SqlError>) {
    if (this.started) {
      this.inTransaction = true
      return this.statement(sql, statement)
    }
    const fresh = Effect.suspend(() => this.session.isAlive ? Effect.void : this.take)
    const { operation } = this.parts.operations.begin
    return Policy.run(
      this.parts.policies.opening,
      operation,
      (attempt) =>
        onLive(
          this.parts.settings,
          Effect.andThen(fresh, attempt(Effect.suspend(() => this.session.statement(sql, statement(this.pg))))),
          isLost
        )
    ).pipe(
      Effect.mapError((error) => toSqlError(error, true)),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          this.started = true
          this.inTransaction = true
          this.heedWaiver(sql)
          if (exit._tag === "Failure" && !this.session.isAlive) this.lostBy = { cause: undefined }
        })
      )
    )
  }

  private commit<A>(
    sql: string,
    control: "commit" | "chain",
    statement: (pg: PgConnection.PgConnection) => Effect.Effect<A, SqlError>
  ): Effect.Effect<A, SqlError> {
    if (this.lostBy !== undefined) return Effect.fail(this.gone())
    return this.attempt(sql, this.parts.operations.commit(sql).operation, statement).pipe(
      Effect.mapError((error) => {
        const unanswered = isUnanswered(error)
        if (unanswered || !this.session.isAlive) this.lost(error)
        return toSqlError(
          unanswered
            ? new PostgresError({ _tag: "CommitUnknown", pool: this.parts.settings.name, cause: error })
            : error,
          false
        )
      }),
      Effect.tap(() => Effect.sync(() => this.ended(control)))
    )
  }

  private cleanUp<A>(
    sql: string,
    control: Control,
    nothing: A,
    statement: (pg: PgConnection.PgConnection) => Effect.Effect<A, SqlError>
  ): Effect.Effect<A> {
    return Effect.suspend(() => {
      if (!this.session.isAlive || this.lostBy !== undefined) return Effect.succeed(nothing)
      return this.turn.withPermit(this.session.statement(sql, statement(this.pg))).pipe(
        Effect.timeout(CLEANUP_LIMIT),
        Effect.map((result) => {
          this.ended(control)
          return result
        }),
        Effect.catchCause((cause) =>
          Effect.sync(() => {
            this.lost(cause)
            return nothing
          })
        )
      )
    })
  }

  private heedWaiver(sql: string): void {
    if (waivesWrites(sql)) this.waived = this.session.waived = true
  }

  private ended(control: Control): void {
    if (control === "commit" || control === "rollback") this.inTransaction = false
  }

  private lost(cause: unknown): void {
    this.lostBy ??= { cause }
    this.session.retire("Broken")
  }

  private gone(): SqlError {
    return toSqlError(
      new PostgresError({ _tag: "TransactionLost", pool: this.parts.settings.name, cause: this.lostBy?.cause }),
      false
    )
  }
}

/** The statement may have been executed, and nobody will say. */
const isUnanswered = (error: Failure): boolean => {
  const { reason } = error
  switch (reason._tag) {
    case "ConnectionLost":
    case "DeadlineExceeded":
      return reason.sent !== "no"
    case "AttemptTimeout":
      return true
    default:
      return false
  }
}

/** Gives a lease its session. The wait for it is bounded, and repeated, by the policy. */
export const taken = (lease: Lease): Effect.Effect<void, SqlError> =>
  Effect.mapError(
    // The attempt is never begun: whatever fails, nothing was sent.
    Policy.run(lease.parts.policies.borrowing, lease.parts.operations.borrow.operation, (_attempt) => lease.take),
    (error) => toSqlError(error, true)
  )

/** A lease until the scope closes. */
export const acquire = (parts: Parts, label: string): Effect.Effect<Lease, SqlError, Scope.Scope> =>
  Effect.suspend(() => {
    const lease = new Lease(parts, label)
    return Effect.addFinalizer(() => lease.release).pipe(
      Effect.andThen(taken(lease)),
      Effect.as(lease)
    )
  })
