// Effect SQL over a pool of Postgres sessions: a statement, a transaction, a stream, LISTEN and NOTIFY.
import { Postgres } from "@breakwater/postgres"
import { PgClient } from "@effect/sql-pg/PgClient"
import { Config, Console, Effect, Fiber, Queue, Stream } from "effect"
import { SqlClient } from "effect/sql"

// Reads DATABASE_URL. What is not set here comes from the URL, such as ?connection_limit=20, or else from the defaults.
const Database = Postgres.layerConfig({
  name: Config.succeed("library"),
  pool: { size: { min: Config.succeed(1), max: Config.succeed(5) } },
  policy: { timeout: Config.succeed("2 seconds"), retry: Config.succeed({ times: 2 }) }
})

interface Book {
  readonly id: number
  readonly title: string
}

const program = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create table example_books (id integer generated always as identity primary key, title text not null)`

  // A statement borrows a session for itself. Parameters are never part of the text.
  const [first] = yield* sql<Book>`insert into example_books (title) values (${"Moby Dick"}) returning *`
  yield* Console.log(`statement:    #${first?.id} ${first?.title}`)

  // A transaction holds one session, and rolls back when the program in it fails.
  const rescued = sql`insert into example_books (title) values ('The Raft')`.pipe(
    Effect.andThen(Effect.fail("changed my mind")),
    sql.withTransaction,
    Effect.catch((why) => Effect.succeed(why))
  )
  const why = yield* rescued
  const [count] = yield* sql<{ n: number }>`select count(*)::int as n from example_books`
  yield* Console.log(`transaction:  rolled back (${String(why)}), still ${count?.n} book`)

  // A stream holds its session until its end, here after three of a million rows.
  const rows = yield* sql<{ n: number }>`select n from generate_series(1, 1000000) n`.stream.pipe(
    Stream.take(3),
    Stream.runCollect
  )
  yield* Console.log(`stream:       ${rows.map(({ n }) => n).join(", ")} and no further`)

  // LISTEN holds a session as long as the scope lives; it counts in the pool's size.
  const pg = yield* PgClient
  const news = yield* pg.listen("example_news")
  const heard = yield* Effect.forkChild(Queue.take(news))
  yield* pg.notify("example_news", "a new book is in")
  yield* Console.log(`notification: ${(yield* Fiber.join(heard)).payload}`)

  const { idle, max, opened, used } = yield* (yield* Postgres.Postgres).stats
  yield* Console.log(`pool:         ${opened} sessions opened, ${used} used (the listener), ${idle} idle, max ${max}`)
})

const dropped = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`drop table if exists example_books`)

await program.pipe(
  Effect.scoped,
  Effect.ensuring(Effect.ignore(dropped)),
  Effect.provide(Database),
  Effect.runPromise
)
