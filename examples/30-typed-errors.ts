// Every way in which a statement can fail, made to happen and told apart by type and reason.
import { Operation, Policy, PoolError } from "@breakwater/core"
import { Postgres, PostgresError } from "@breakwater/postgres"
import { Config, Console, Effect, Option, References } from "effect"

/** A pool of two sessions, where half a second is long. */
const open = Effect.gen(function*() {
  return yield* Postgres.make({
    name: "errors",
    url: yield* Config.Redacted("DATABASE_URL"),
    pool: { size: { max: 2 }, wait: { timeout: "200 millis" } },
    policy: { timeout: "500 millis", deadline: "2 seconds" }
  })
})

const exhaustedPool = Effect.gen(function*() {
  const { sql } = yield* open
  const slow = Effect.ignore(sql`select pg_sleep(0.4)`)
  yield* Effect.forkScoped(Effect.all([slow, slow], { concurrency: 2 }))
  yield* Effect.yieldNow
  yield* sql`select 1`.pipe(
    Effect.catchReason("SqlError", "ConnectionError", (_, error) =>
      Option.match(PoolError.fromSqlError(error), {
        onNone: () => Console.log("  The server was lost."),
        onSome: ({ message, reason }) => Console.log(`  ${reason._tag}: ${message}`)
      }))
  )
})

const deadline = Effect.gen(function*() {
  const { sql } = yield* open
  const report = Effect.all([sql`select pg_sleep(0.2)`, sql`select pg_sleep(0.2)`])
  yield* Policy.apply(
    report,
    Policy.make({ deadline: "300 millis" }),
    Operation.make("report", { idempotent: true })
  ).pipe(
    Effect.catchReason(
      "PolicyError",
      "DeadlineExceeded",
      ({ _tag }, { message }) => Console.log(`  ${_tag}: ${message}`)
    )
  )
})

const statementTimeout = Effect.gen(function*() {
  const { sql } = yield* open
  yield* sql`select pg_sleep(3)`.pipe(
    Effect.catchReasons("SqlError", {
      StatementTimeoutError: ({ message }) => Console.log(`  The server confirmed that it stopped: ${message}`),
      UnknownError: ({ message }) => Console.log(`  It may have taken effect, the server did not say: ${message}`)
    })
  )
})

const constraintViolation = Effect.gen(function*() {
  const { sql } = yield* open
  yield* sql`create table example_orders (key text primary key)`
  yield* sql`insert into example_orders values ('a')`
  yield* sql`insert into example_orders values ('a')`.pipe(
    Effect.catchReason(
      "SqlError",
      "UniqueViolation",
      ({ _tag, constraint }) => Console.log(`  ${_tag} of ${constraint}`)
    )
  )
})

/** A transaction whose COMMIT takes long enough for its connection to be cut meanwhile. */
const commitUnknown = Effect.gen(function*() {
  const { sql } = yield* open
  yield* sql`create function example_wait() returns trigger language plpgsql as 'begin perform pg_sleep(0.3); return null; end'`
  yield* sql`create constraint trigger example_slow_commit after insert on example_orders
    deferrable initially deferred for each row execute function example_wait()`
  const cut = sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and query = 'COMMIT' and state = 'active'`
  yield* Effect.forkScoped(Effect.andThen(Effect.sleep("150 millis"), Effect.ignore(cut)))
  yield* sql.withTransaction(sql`insert into example_orders values ('b')`).pipe(
    Effect.asVoid,
    Effect.catchReason("SqlError", "UnknownError", (_, error) =>
      Effect.gen(function*() {
        const reason = Option.getOrUndefined(PostgresError.fromSqlError(error))?.reason
        yield* Console.log(`  ${reason?._tag}: committed or not, only the data can tell.`)
        const rows = yield* sql`select from example_orders where key = 'b'`
        yield* Console.log(rows.length === 1 ? "  It is there." : "  It is not there: the transaction may be repeated.")
      }))
  )
})

const dropAll = Effect.gen(function*() {
  const { sql } = yield* open
  yield* sql`drop table if exists example_orders`
  yield* sql`drop function if exists example_wait`
})

const show = <A, E, R>(title: string, effect: Effect.Effect<A, E, R>) =>
  Effect.andThen(Console.log(title), Effect.scoped(effect))

await show("The pool is exhausted", exhaustedPool).pipe(
  Effect.andThen(show("The caller's deadline passes", deadline)),
  Effect.andThen(show("A statement takes too long", statementTimeout)),
  Effect.andThen(show("A constraint is violated", constraintViolation)),
  Effect.andThen(show("COMMIT gets no answer", commitUnknown)),
  Effect.ensuring(Effect.ignore(Effect.scoped(dropAll))),
  // Without the line that says that a pool is ready.
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  Effect.runPromise
)
