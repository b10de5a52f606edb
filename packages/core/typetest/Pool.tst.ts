import { Context, Data, Effect, type Layer, type Scope, type Stream } from "effect"
import { describe, expect, test } from "tstyche"
import * as Pool from "../src/pool/Pool.ts"
import type { AcquireTimeout, PoolError, Revoked } from "../src/pool/PoolError.ts"
import type { PoolEvent } from "../src/pool/PoolEvent.ts"

class Config extends Context.Service<Config, { readonly url: string }>()("typetest/Config") {}
class Db extends Context.Service<Db, { readonly table: string }>()("typetest/Db") {}
class DialError extends Data.TaggedError("DialError") {}
class QueryError extends Data.TaggedError("QueryError") {}

interface Connection {
  readonly id: number
}

declare const acquire: Effect.Effect<Connection, DialError, Config | Scope.Scope>
declare const pool: Pool.Pool<Connection>
declare const query: (connection: Connection) => Effect.Effect<string, QueryError, Db>

describe("Pool.make", () => {
  test("infers the item and what acquire needs, and erases what it fails with", () => {
    expect(Pool.make({ name: "p", acquire, size: { max: 1 } })).type.toBe<
      Effect.Effect<Pool.Pool<Connection>, PoolError, Config | Scope.Scope>
    >()
  })

  test("needs a scope also where acquire needs nothing", () => {
    expect(Pool.make({ name: "p", acquire: Effect.succeed(1), size: { max: 1 } })).type.toBe<
      Effect.Effect<Pool.Pool<number>, PoolError, Scope.Scope>
    >()
  })

  test("gives the functions of check the item that acquire opens", () => {
    Pool.make({
      name: "p",
      acquire,
      size: { max: 1 },
      check: {
        test: (item) => {
          expect(item).type.toBe<Connection>()
          return Effect.fail(new QueryError())
        },
        isAlive: (item) => {
          expect(item).type.toBe<Connection>()
          return true
        }
      }
    })
  })

  test("accepts undefined for whatever is optional", () => {
    expect(Pool.make<Connection, DialError, Config>).type.toBeCallableWith({
      name: "p",
      acquire,
      size: { min: undefined, max: 1, keep: undefined },
      start: undefined,
      wait: { timeout: undefined, maxWaiting: undefined, codel: undefined, failFast: undefined },
      dial: { timeout: undefined, concurrency: undefined, backoff: undefined },
      check: { test: undefined, skipWithin: undefined, timeout: undefined, isAlive: undefined }
    })
  })

  test("refuses options that do not exist, and a check that needs a service", () => {
    expect(Pool.make).type.not.toBeCallableWith({ name: "p", acquire, size: { max: 1, maxx: 1 } })
    expect(Pool.make).type.not.toBeCallableWith({ name: "p", acquire, size: {} })
    expect(Pool.make).type.not.toBeCallableWith({ name: "p", acquire, size: { max: 1 }, start: "eager" })
    expect(Pool.make).type.not.toBeCallableWith({ name: "p", acquire, size: { max: 1 }, check: { test: query } })
  })
})

class Connections extends Context.Service<Connections, Pool.Pool<Connection>>()("typetest/Connections") {}

describe("Pool.layer", () => {
  test("provides the tag, and needs what acquire needs but for its scope", () => {
    expect(Pool.layer(Connections, { name: "p", acquire, size: { max: 1 } })).type.toBe<
      Layer.Layer<Connections, PoolError, Config>
    >()
    expect(Pool.layer(Connections, { name: "p", acquire: Effect.succeed({ id: 1 }), size: { max: 1 } })).type.toBe<
      Layer.Layer<Connections, PoolError>
    >()
  })

  test("takes the item from the tag: what acquire opens may be more, but not something else", () => {
    const more = Effect.succeed({ id: 1, table: "orders" })
    expect(Pool.layer(Connections, {
      name: "p",
      acquire: more,
      size: { max: 1 },
      check: {
        isAlive: (item) => {
          expect(item).type.toBe<Connection>()
          return true
        }
      }
    })).type.toBe<Layer.Layer<Connections, PoolError>>()
    const other = Effect.succeed("connection")
    expect(Pool.layer).type.not.toBeCallableWith(Connections, { name: "p", acquire: other, size: { max: 1 } })
    expect(Pool.layer).type.not.toBeCallableWith(Config, { name: "p", acquire, size: { max: 1 } })
  })
})

describe("Pool.use", () => {
  test("adds the pool's error to those of the work, and its requirements stay", () => {
    expect(Pool.use(pool, query)).type.toBe<Effect.Effect<string, QueryError | PoolError, Db>>()
    expect(Pool.use(pool, query, { timeout: "1 second" })).type.toBe<
      Effect.Effect<string, QueryError | PoolError, Db>
    >()
  })

  test("is the same in a pipe, where it infers the item too", () => {
    expect(pool.pipe(Pool.use(query))).type.toBe<Effect.Effect<string, QueryError | PoolError, Db>>()
    expect(pool.pipe(Pool.use(query, { key: "tenant" }))).type.toBe<
      Effect.Effect<string, QueryError | PoolError, Db>
    >()
    expect(Pool.use(pool, (connection) => Effect.succeed(connection.id))).type.toBe<
      Effect.Effect<number, PoolError>
    >()
  })

  test("refuses work on another item", () => {
    expect(Pool.use).type.not.toBeCallableWith(pool, (item: string) => Effect.succeed(item))
    expect(Pool.use).type.not.toBeCallableWith(pool, () => 1)
    expect(Pool.use).type.not.toBeCallableWith(pool, query, { timeuot: 1 })
  })

  test("lets a reason be caught with its own fields", () => {
    const used = Pool.use(pool, query)
    Effect.catchReason(used, "PoolError", "AcquireTimeout", (reason) => {
      expect(reason).type.toBe<AcquireTimeout>()
      return Effect.succeed(reason.phase)
    })
    Pool.use(pool, query).pipe(Effect.catchReason("PoolError", "Revoked", (reason) => {
      expect(reason).type.toBe<Revoked>()
      return Effect.succeed(reason.why)
    }))
  })
})

describe("Pool.get", () => {
  test("gives the item, until a scope closes", () => {
    type Borrowed = Effect.Effect<Connection, PoolError, Scope.Scope>
    expect(Pool.get(pool)).type.toBe<Borrowed>()
    expect(Pool.get(pool, { label: "report" })).type.toBe<Borrowed>()
    expect(pool.pipe(Pool.get())).type.toBe<Borrowed>()
    expect(pool.pipe(Pool.get({ priority: 1 }))).type.toBe<Borrowed>()
  })
})

describe("the rest of Pool", () => {
  test("never fails where nothing can, and fails as PoolError where it can", () => {
    expect(Pool.invalidate(pool, { id: 1 })).type.toBe<Effect.Effect<void>>()
    expect(pool.pipe(Pool.invalidate({ id: 1 }, "Broken"))).type.toBe<Effect.Effect<void>>()
    expect(Pool.clear(pool, { interrupt: true })).type.toBe<Effect.Effect<void>>()
    expect(pool.pipe(Pool.clear())).type.toBe<Effect.Effect<void>>()
    expect(Pool.warm(pool)).type.toBe<Effect.Effect<void, PoolError>>()
    expect(Pool.drain(pool, "1 second")).type.toBe<Effect.Effect<Pool.DrainReport>>()
    expect(pool.pipe(Pool.drain(1000))).type.toBe<Effect.Effect<Pool.DrainReport>>()
    expect(Pool.stats(pool)).type.toBe<Effect.Effect<Pool.Stats>>()
    expect(Pool.events(pool)).type.toBe<Stream.Stream<PoolEvent>>()
  })

  test("a pool is invariant in its item: invalidate takes one, use gives one", () => {
    expect<Pool.Pool<Connection>>().type.not.toBeAssignableTo<Pool.Pool<{}>>()
    expect<Pool.Pool<{}>>().type.not.toBeAssignableTo<Pool.Pool<Connection>>()
    expect(Pool.invalidate).type.not.toBeCallableWith(pool, "connection")
    expect(Pool.invalidate).type.not.toBeCallableWith(pool, { id: 1 }, "Because")
  })
})
