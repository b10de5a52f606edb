/** The storefront's one database: its pool, its policy and its tables. */
import { Postgres } from "@breakwater/postgres"
import { Config, Effect } from "effect"
import * as Policies from "./Policies.ts"

export class Database extends Postgres.Service<Database>()("storefront") {}

/** Reads `DATABASE_URL`, and from it what is not set here. */
export const layer = Database.layerConfig({
  pool: Config.succeed({
    size: { min: 2, max: 10 },
    wait: { timeout: "1 second", maxWaiting: 200 },
    dial: { timeout: "1 second" }
  }),
  policy: Policies.config("DATABASE_POLICY", {
    deadline: "900 millis",
    timeout: "400 millis",
    retry: { times: 3 },
    breaker: {},
    // No function that the shop selects from writes anything.
    reads: "idempotent"
  }, Policies.BARE)
})

/** Creates what is missing. Several replicas may do it at once: the lock lets one after the other. */
export const migrate = Effect.gen(function*() {
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
}).pipe(Effect.tapError((error) => Effect.logWarning(`The database is not ready: ${error.message}`)))
