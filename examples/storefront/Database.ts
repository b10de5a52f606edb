/** The storefront's one database: its pool, its policy and its tables. */
import { Postgres } from "@breakwater/postgres"
import { Config, Context, Effect, Layer, Ref, Schedule } from "effect"
import * as Policies from "./Policies.ts"

export class Database extends Postgres.Service<Database>()("storefront") {}

/** Reads `DATABASE_URL`, and from it what is not set here. */
const layerDatabase = Database.layerConfig({
  pool: Config.succeed({
    size: { min: 2, max: 10 },
    wait: { timeout: "1 second", maxWaiting: 200 },
    dial: { timeout: "1 second" }
  }),
  policy: Policies.config<Postgres.PolicyOptions>({
    deadline: "2500 millis",
    timeout: "1 second",
    retry: { times: 3 },
    breaker: {},
    // No function that the shop selects from writes anything.
    reads: "idempotent"
  }, {})
})

/** Whether they are there. */
export class Tables
  extends Context.Service<Tables, { readonly ready: Effect.Effect<boolean> }>()("storefront/Tables")
{}

/** Creates what is missing. Several replicas may do it at once: the lock lets one after the other. */
const migrate = Effect.gen(function*() {
  const { sql } = yield* Database
  yield* sql.withTransaction(Effect.gen(function*() {
    yield* sql`select pg_advisory_xact_lock(20260101)`
    yield* sql`create table if not exists products (
      id integer primary key,
      name text not null,
      price_cents integer not null,
      stock integer not null check (stock >= 0)
    )`
    yield* sql`create table if not exists orders (
      id integer generated always as identity primary key,
      key text not null unique,
      product integer not null references products,
      quantity integer not null check (quantity > 0),
      placed_at timestamptz not null default now()
    )`
    yield* sql`insert into products select n, 'Lantern no. ' || n, 1000 + 50 * n, 1000
      from generate_series(1, 12) n on conflict do nothing`
  }))
})

/** Prepares the tables in the background, for as long as that takes. */
const layerTables = Layer.effect(
  Tables,
  Effect.gen(function*() {
    const ready = yield* Ref.make(false)
    yield* migrate.pipe(
      Effect.tapError((error) => Effect.logWarning(`The database is not ready: ${error.message}`)),
      Effect.retry(Schedule.spaced("500 millis")),
      Effect.andThen(Ref.set(ready, true)),
      Effect.forkScoped
    )
    return { ready: Ref.get(ready) }
  })
)

export const layer = Layer.provideMerge(layerTables, layerDatabase)
