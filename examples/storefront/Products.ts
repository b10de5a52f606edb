/** What the shop sells. */
import { Effect, Schema } from "effect"
import * as Cache from "./Cache.ts"
import { Database } from "./Database.ts"
import * as StorefrontError from "./StorefrontError.ts"

export const Product = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  priceCents: Schema.Int,
  stock: Schema.Int
})

export type Product = typeof Product.Type

const readAll = Effect.gen(function*() {
  const { sql } = yield* Database
  return yield* sql<Product>`select id, name, price_cents as "priceCents", stock from products order by id limit 100`
}).pipe(Effect.mapError(StorefrontError.fromBackend))

const read = Effect.fnUntraced(function*(id: number) {
  const { sql } = yield* Database
  const [product] = yield* sql<Product>`
    select id, name, price_cents as "priceCents", stock from products where id = ${id}
  `.pipe(Effect.mapError(StorefrontError.fromBackend))
  return product ?? (yield* StorefrontError.make({ _tag: "NotFound", what: `product ${id}` }))
})

export const list = Cache.remember("products", Schema.Array(Product), readAll)

export const get = (id: number) => Cache.remember(`product:${id}`, Product, read(id))
