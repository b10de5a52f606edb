/** What the client was told compared with what Postgres has, both asked directly, past the faults. */
import { Postgres } from "@breakwater/postgres"
import { Duration, Effect, type Redacted } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Order } from "../Orders.ts"

const STOCK = 1_000_000

/** A connection of the storm's own, for one purpose at a time. */
const directly = <A, E>(url: Redacted.Redacted, f: (postgres: Postgres.Postgres) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(Postgres.make({ name: "storm", url, critical: false }), f))

/** Gives the shop more than the storm can sell. */
export const fill = (url: Redacted.Redacted) => directly(url, ({ sql }) => sql`update products set stock = ${STOCK}`)

/** Makes every order wait: the sessions of the pool are soon all in use, and then reads wait, too. */
export const blockOrders = (url: Redacted.Redacted, lasts: Duration.Duration) =>
  directly(
    url,
    ({ sql }) => sql.withTransaction(Effect.andThen(sql`lock table products in exclusive mode`, Effect.sleep(lasts)))
  )

/** Makes the orders of one product hang until interrupted. */
export const hangOrdersOf = (product: number, url: Redacted.Redacted) =>
  directly(
    url,
    ({ sql }) =>
      sql.withTransaction(Effect.andThen(sql`select id from products where id = ${product} for update`, Effect.never))
  )

export interface Findings {
  readonly acknowledged: number
  /** Acknowledged to the client, and not there. */
  readonly lost: number
  /** Placed more than once: by the rows, by the ids that the client was given, by the stock that is gone. */
  readonly doubled: number
  /** Placed without an authorization of the payment. */
  readonly unpaid: number
}

export const compare = (
  url: Redacted.Redacted,
  acknowledged: ReadonlyArray<Order>,
  isAuthorized: (key: string) => boolean
) =>
  directly(
    url,
    Effect.fnUntraced(function*({ sql }): Effect.fn.Return<Findings, SqlError> {
      const rows = yield* sql<Order>`select id, key, product, quantity from orders`
      const stocks = yield* sql<{ id: number; stock: number }>`select id, stock from products`
      const ids = Map.groupBy([...rows, ...acknowledged], ({ key }) => key)
      const there = new Set(rows.map(({ key }) => key))
      const sold = Map.groupBy(rows, ({ product }) => product)
      const repeated = ids.values().reduce((sum, orders) => sum + new Set(orders.map(({ id }) => id)).size - 1, 0)
      const missing = stocks.reduce((sum, { id, stock }) => {
        const quantity = (sold.get(id) ?? []).reduce((total, order) => total + order.quantity, 0)
        return sum + Math.abs(STOCK - quantity - stock)
      }, 0)
      const keys = new Set(acknowledged.map(({ key }) => key))
      return {
        acknowledged: keys.size,
        lost: [...keys].filter((key) => !there.has(key)).length,
        doubled: repeated + missing,
        unpaid: rows.filter(({ key }) => !isAuthorized(key)).length
      }
    })
  )
