/**
 * Orders, each paid for before it is placed, and placed once at most: its idempotency key is unique in the database, so that whoever does not know whether
 * an order was placed, a client or this process itself, may place it again.
 */
import { Operation, Policy, type PolicyError } from "@breakwater/core"
import { PostgresError, PostgresOutcome } from "@breakwater/postgres"
import { Effect, Layer, Option, Schema } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { Database } from "./Database.ts"
import { Feed } from "./Feed.ts"
import * as Payments from "./Payments.ts"
import { Policies } from "./Policies.ts"
import * as Products from "./Products.ts"
import * as StorefrontError from "./StorefrontError.ts"

export const NewOrder = Schema.Struct({
  product: Schema.Int,
  quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))
})

export type NewOrder = typeof NewOrder.Type

export const Order = Schema.Struct({
  id: Schema.Int,
  key: Schema.String,
  product: Schema.Int,
  quantity: Schema.Int
})

export type Order = typeof Order.Type

const OrderJson = Schema.fromJsonString(Order)

/**
 * Bounds the whole transaction, and repeats it whole when its connection is lost: the key makes that safe. The bulkhead
 * keeps some of the pool's connections for reading, however long orders hang.
 */
const transacting = Policy.make({
  name: "orders.place",
  deadline: "1200 millis",
  retry: { times: 3 },
  bulkhead: { permits: 6, queue: 100, maxWait: "400 millis" },
  classify: PostgresOutcome.fromExit
})
const operation = Operation.make("orders.place", { idempotent: true })

/** Bounds payment and transaction together. */
const whole = Policy.make({ name: "orders", deadline: "2 seconds" })

/** Shows both in `/metrics`; the policy of a backend is shown by the backend. */
export const layerMetrics = Layer.effectDiscard(Effect.gen(function*() {
  const { on } = yield* Policies
  if (!on) return
  yield* Policy.metrics(whole)
  yield* Policy.metrics(transacting)
}))

const guarded = Effect.fnUntraced(function*<A, E, R, E2, Repeats extends boolean>(
  order: Effect.Effect<A, E, R>,
  policy: Policy.Policy<E2, Operation.Operation, Repeats>
) {
  const { on } = yield* Policies
  return yield* on ? Policy.apply(order, policy, operation) : order
})

const findByKey = Effect.fnUntraced(function*(key: string) {
  const { sql } = yield* Database
  const [order] = yield* sql<Order>`select id, key, product, quantity from orders where key = ${key}`
  return Option.fromNullishOr(order)
})

const transaction = Effect.fnUntraced(function*(key: string, wanted: NewOrder) {
  const { sql } = yield* Database
  const { product, quantity } = wanted
  return yield* sql.withTransaction(Effect.gen(function*() {
    // Waits for another transaction with the same key, then sees whether that one placed the order.
    const [placed] = yield* sql<Order>`
      insert into orders (key, product, quantity) select ${key}, id, ${quantity} from products where id = ${product}
      on conflict (key) do nothing returning id, key, product, quantity
    `
    if (placed === undefined) return yield* alreadyPlaced(key, wanted)
    const taken = yield* sql`
      update products set stock = stock - ${quantity} where id = ${product} and stock >= ${quantity} returning id
    `
    return taken.length === 1 ? placed : yield* StorefrontError.make({ _tag: "OutOfStock", product })
  }))
})

const alreadyPlaced = Effect.fnUntraced(function*(key: string, { product, quantity }: NewOrder) {
  const order = yield* findByKey(key)
  if (Option.isNone(order)) return yield* StorefrontError.make({ _tag: "NotFound", what: `product ${product}` })
  return order.value.product === product && order.value.quantity === quantity
    ? order.value
    : yield* StorefrontError.make({ _tag: "KeyReused", key })
})

const isCommitUnknown = (error: SqlError): boolean =>
  Option.exists(PostgresError.fromSqlError(error), ({ reason }) => reason._tag === "CommitUnknown")

const isUnsent = ({ outcome }: PolicyError.PolicyError): boolean => outcome._tag !== "Success" && outcome.sent === "no"

const commit = Effect.fnUntraced(function*(key: string, wanted: NewOrder) {
  let inDoubt = false
  const attempt = transaction(key, wanted).pipe(
    Effect.tapErrorTag("SqlError", (error) =>
      Effect.sync(() => {
        inDoubt ||= isCommitUnknown(error)
      }))
  )
  // After a COMMIT without an answer the next attempt looks the key up: it finds the order, or places it. Where there
  // is no next one, and where the deadline passed, which it may have during COMMIT, nobody knows.
  return yield* guarded(attempt, transacting).pipe(
    Effect.catchTag(["SqlError", "PolicyError"], (error) =>
      Effect.fail(
        inDoubt || !(error._tag === "SqlError" || isUnsent(error))
          ? StorefrontError.outcomeUnknown(key, error)
          : StorefrontError.fromBackend(error)
      ))
  )
})

/** Places an order; with a key that was used before, gives the order that was placed then. */
export const place = (key: string, wanted: NewOrder) =>
  Effect.gen(function*() {
    const { value } = yield* Products.get(wanted.product)
    yield* Payments.authorize(key, value.priceCents * wanted.quantity)
    const order = yield* commit(key, wanted)
    const { announce } = yield* Feed
    yield* announce(Schema.encodeSync(OrderJson)(order))
    return order
  }).pipe(
    (order) => guarded(order, whole),
    Effect.catchTag("PolicyError", (error) => Effect.fail(StorefrontError.outcomeUnknown(key, error)))
  )

export const get = Effect.fnUntraced(function*(key: string) {
  const order = yield* Effect.mapError(findByKey(key), StorefrontError.fromBackend)
  return Option.isSome(order) ? order.value : yield* StorefrontError.make({ _tag: "NotFound", what: `order ${key}` })
})
