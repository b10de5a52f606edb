/** What the shop sells. */
import { Effect, Schema } from "effect"
import { Database } from "./Database.ts"
import * as StorefrontError from "./StorefrontError.ts"

export const Product = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  priceCents: Schema.Int,
  stock: Schema.Int
})

export type Product = typeof Product.Type

export const list = Effect.fnUntraced(function*() {
  const { sql } = yield* Database
  return yield* sql<Product>`select id, name, price_cents as "priceCents", stock from products order by id limit 100`
}, Effect.mapError(StorefrontError.fromDatabase))

export const get = Effect.fnUntraced(function*(id: number) {
  const { sql } = yield* Database
  const [product] = yield* sql<Product>`
    select id, name, price_cents as "priceCents", stock from products where id = ${id}
  `.pipe(Effect.mapError(StorefrontError.fromDatabase))
  return product ?? (yield* StorefrontError.make({ _tag: "NotFound", what: `product ${id}` }))
})
