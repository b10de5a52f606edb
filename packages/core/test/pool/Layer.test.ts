import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import * as Pool from "../../src/pool/Pool.ts"
import { type Connection, FakeServer } from "./fakeServer.ts"

class Orders extends Context.Service<Orders, Pool.Pool<Connection>>()("test/Orders") {}
class Stock extends Context.Service<Stock, Pool.Pool<Connection>>()("test/Stock") {}

describe("Pool.layer", () => {
  it.effect("provides pools side by side, each under a tag of its own, and closes them with the program", () =>
    Effect.gen(function*() {
      const orders = new FakeServer()
      const stock = new FakeServer()
      const names = yield* Effect.gen(function*() {
        yield* Pool.use(yield* Orders, () => Effect.void)
        yield* Pool.use(yield* Stock, () => Effect.void)
        assert.deepStrictEqual([orders.open, stock.open], [1, 1])
        return [(yield* Orders).name, (yield* Stock).name]
      }).pipe(Effect.provide([
        Pool.layer(Orders, { name: "orders", acquire: orders.acquire, size: { max: 1 } }),
        Pool.layer(Stock, { name: "stock", acquire: stock.acquire, size: { max: 1 } })
      ]))
      assert.deepStrictEqual(names, ["orders", "stock"])
      assert.deepStrictEqual([orders.open, stock.open], [0, 0])
    }))

  it.effect("fails to build with the pool's error where start is fail-fast", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.mode = "refuses"
      const layer = Pool.layer(Orders, {
        name: "orders",
        acquire: server.acquire,
        size: { max: 1 },
        start: "fail-fast"
      })
      const error = yield* Effect.flip(Effect.provide(Effect.asVoid(Orders), layer))
      assert.strictEqual(error.reason._tag, "Unavailable")
    }))

  it("refuses options by the call, not when it is built", () => {
    assert.throws(() => Pool.layer(Orders, { name: "orders", acquire: Effect.never, size: { max: 0 } }), RangeError)
  })
})
