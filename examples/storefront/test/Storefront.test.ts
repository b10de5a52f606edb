import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { layer as layerShop, Shop } from "./shop.ts"
import { until } from "./support.ts"

const stockOf = Effect.fnUntraced(function*(product: number) {
  const { database: { sql } } = yield* Shop
  const [row] = yield* sql<{ stock: number }>`select stock from products where id = ${product}`
  return row?.stock
})

const ordersOf = Effect.fnUntraced(function*(key: string) {
  const { database: { sql } } = yield* Shop
  return (yield* sql`select id from orders where key = ${key}`).length
})

const restock = Effect.fnUntraced(function*(product: number, stock: number) {
  const { database: { sql } } = yield* Shop
  yield* sql`update products set stock = ${stock} where id = ${product}`
})

describe.skipIf(!TestPostgres.available)("storefront", () => {
  layer(layerShop, { excludeTestServices: true })((it) => {
    it.effect("an order placed twice with one key is placed once, and answered alike", () =>
      Effect.gen(function*() {
        const { http } = yield* Shop
        yield* restock(1, 10)
        const first = yield* http.order("twice", { product: 1, quantity: 2 })
        const second = yield* http.order("twice", { product: 1, quantity: 2 })
        assert.strictEqual(first.status, 201)
        assert.deepStrictEqual(second, first)
        assert.strictEqual(yield* stockOf(1), 8)
        assert.deepStrictEqual((yield* http.get("/orders/twice")).body, first.body)
      }))

    it.effect("twenty concurrent requests with one key place one order", () =>
      Effect.gen(function*() {
        const { http } = yield* Shop
        yield* restock(2, 100)
        const answers = yield* Effect.forEach(
          Array.from({ length: 20 }),
          () => http.order("concurrent", { product: 2, quantity: 3 }),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(answers.map(({ status }) => status), Array.from({ length: 20 }, () => 201))
        assert.strictEqual(new Set(answers.map(({ body }) => JSON.stringify(body))).size, 1)
        assert.strictEqual(yield* ordersOf("concurrent"), 1)
        assert.strictEqual(yield* stockOf(2), 97)
      }))

    it.effect("a key is refused for an order of something else", () =>
      Effect.gen(function*() {
        const { http } = yield* Shop
        yield* restock(3, 10)
        yield* http.order("reused", { product: 3, quantity: 1 })
        const other = yield* http.order("reused", { product: 3, quantity: 2 })
        assert.deepStrictEqual([other.status, other.reason], [422, "KeyReused"])
        assert.strictEqual(yield* stockOf(3), 9)
      }))

    it.effect("stock that runs out under concurrent orders ends at zero, and the rest is refused", () =>
      Effect.gen(function*() {
        const { http } = yield* Shop
        yield* restock(4, 5)
        const answers = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, n) => `scarce-${n}`),
          (key) => http.order(key, { product: 4, quantity: 1 }),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(answers.filter(({ status }) => status === 201).length, 5)
        assert.strictEqual(answers.filter(({ reason, status }) => status === 409 && reason === "OutOfStock").length, 15)
        assert.strictEqual(yield* stockOf(4), 0)
      }))

    it.effect("what a client does wrong is answered with a typed error", () =>
      Effect.gen(function*() {
        const { http } = yield* Shop
        const seen = ({ reason, status }: { readonly status: number; readonly reason: string | undefined }) =>
          `${status} ${reason}`
        assert.strictEqual(seen(yield* http.get("/products/999")), "404 NotFound")
        assert.strictEqual(seen(yield* http.get("/products/lamp")), "400 InvalidRequest")
        assert.strictEqual(seen(yield* http.get("/orders/never")), "404 NotFound")
        assert.strictEqual(seen(yield* http.get("/nowhere")), "404 NotFound")
        assert.strictEqual(seen(yield* http.order("k", { product: 999, quantity: 1 })), "404 NotFound")
        assert.strictEqual(seen(yield* http.order("k", { product: 1, quantity: 0 })), "400 InvalidRequest")
        assert.strictEqual(seen(yield* http.order("", { product: 1, quantity: 1 })), "400 InvalidRequest")
        assert.strictEqual(seen(yield* http.call("/orders", { method: "POST", body: "{" })), "400 InvalidRequest")
      }))

    it.effect("an order whose COMMIT got no answer is looked up by its key, and placed once", () =>
      Effect.gen(function*() {
        const { database: { sql }, http } = yield* Shop
        yield* restock(5, 10)
        yield* sql`create function wait_once() returns trigger language plpgsql as
          'begin if nextval(''commits'') = 1 then perform pg_sleep(0.5); end if; return null; end'`
        yield* sql`create sequence commits`
        yield* sql`create constraint trigger slow_commit after insert on orders
          deferrable initially deferred for each row execute function wait_once()`
        const cut = sql`select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and query = 'COMMIT' and state = 'active'`
        const [answer] = yield* Effect.all([
          http.order("in doubt", { product: 5, quantity: 1 }),
          until(cut, (rows) => rows.length > 0)
        ], {
          concurrency: 2
        })
        yield* sql`drop trigger slow_commit on orders`
        assert.strictEqual(answer.status, 201)
        assert.strictEqual(yield* ordersOf("in doubt"), 1)
        assert.strictEqual(yield* stockOf(5), 9)
      }))

    it.effect("without its database it is alive and not ready, answers typed errors, and recovers by itself", () =>
      Effect.gen(function*() {
        const { http, proxy } = yield* Shop
        yield* Effect.acquireRelease(Effect.andThen(proxy.refuse, proxy.reset), () => Effect.orDie(proxy.restore)).pipe(
          Effect.andThen(Effect.gen(function*() {
            yield* until(http.get("/health/ready"), ({ status }) => status === 503)
            const [ready, product, order] = yield* Effect.all([
              http.get("/health/ready"),
              http.get("/products/1"),
              http.order("refused", { product: 1, quantity: 1 })
            ])
            assert.strictEqual(ready.status, 503)
            assert.nestedPropertyVal(ready.body, "backends.storefront", "unhealthy")
            assert.deepStrictEqual([product.status, product.reason], [503, "Unavailable"])
            assert.deepStrictEqual([order.status, order.reason], [503, "Unavailable"])
            assert.strictEqual((yield* http.get("/health/live")).status, 200)
          })),
          Effect.scoped
        )
        yield* until(http.get("/health/ready"), ({ status }) => status === 200)
        assert.strictEqual((yield* http.get("/products/1")).status, 200)
      }))
  })
})
