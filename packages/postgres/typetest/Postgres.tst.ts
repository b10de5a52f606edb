import { Postgres, PostgresError } from "@breakwater/postgres"
import type { PgClient, PgConnection } from "@effect/sql-pg"
import { Config, Effect, type Layer, type Option, Redacted, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { describe, expect, test } from "tstyche"

class Orders extends Postgres.Service<Orders>()("orders") {}
class Users extends Postgres.Service<Users>()("users") {}

const url = Redacted.make("postgres://localhost/orders")
declare const postgres: Postgres.Postgres
declare const orders: Orders

type Sql = SqlClient.SqlClient | PgClient.PgClient
type Failure = SqlError | Config.ConfigError

describe("Postgres", () => {
  test("layer provides SqlClient, PgClient and itself", () => {
    expect(Postgres.layer({ name: "orders", url })).type.toBe<Layer.Layer<Postgres.Postgres | Sql, Failure>>()
  })

  test("layerConfig fails as ConfigError too", () => {
    expect(Postgres.layerConfig({ name: Config.succeed("orders"), url: Config.Redacted("URL") })).type.toBe<
      Layer.Layer<Postgres.Postgres | Sql, Failure>
    >()
    expect(Postgres.layerConfig({ name: Config.succeed("orders") })).type.toBe<
      Layer.Layer<Postgres.Postgres | Sql, Failure>
    >()
  })

  test("make needs a scope and nothing else", () => {
    expect(Postgres.make({ name: "orders", url })).type.toBe<
      Effect.Effect<Postgres.Postgres, Failure, Scope.Scope>
    >()
  })

  test("use adds SqlError to the errors of what it runs", () => {
    const used = postgres.use((session) => {
      expect(session).type.toBe<PgConnection.PgConnection>()
      return Effect.fail("mine" as const)
    })
    expect(used).type.toBe<Effect.Effect<never, "mine" | SqlError>>()
  })

  test("refuses a url that is no secret, and options that do not exist", () => {
    expect(Postgres.layer).type.not.toBeCallableWith({ name: "orders", url: "postgres://localhost/orders" })
    expect(Postgres.layer).type.not.toBeCallableWith({ name: "orders", url, poolsize: 5 })
    expect(Postgres.layer).type.not.toBeCallableWith({ url })
  })
})

describe("Postgres.Service", () => {
  test("layer provides the service only", () => {
    expect(Orders.layer({ url })).type.toBe<Layer.Layer<Orders, Failure>>()
  })

  test("sqlLayer also provides SqlClient and PgClient", () => {
    expect(Orders.sqlLayer({ url })).type.toBe<Layer.Layer<Orders | Sql, Failure>>()
  })

  test("layerConfig and sqlLayerConfig provide the same", () => {
    expect(Orders.layerConfig({})).type.toBe<Layer.Layer<Orders, Failure>>()
    expect(Orders.sqlLayerConfig({ url: Config.Redacted("URL") })).type.toBe<Layer.Layer<Orders | Sql, Failure>>()
  })

  test("gives the database, and is another type for every name", () => {
    expect(Effect.map(Orders, (service) => service)).type.toBe<Effect.Effect<Postgres.Postgres, never, Orders>>()
    expect(orders).type.not.toBeAssignableTo<Users>()
  })
})

describe("PostgresError", () => {
  test("comes back from a SqlError", () => {
    expect(PostgresError.fromSqlError).type.toBe<
      (error: SqlError) => Option.Option<PostgresError.PostgresError>
    >()
  })
})
