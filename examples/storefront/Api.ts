/** The routes. Whatever a handler ends with, the answer is its value or a `StorefrontError`. */
import { Cause, Effect, Option, Schema } from "effect"
import {
  type HttpBody,
  HttpRouter,
  type HttpServerError,
  HttpServerRequest,
  HttpServerRespondable,
  HttpServerResponse
} from "effect/http"
import * as Catalogue from "./Catalogue.ts"
import { Feed } from "./Feed.ts"
import * as Orders from "./Orders.ts"
import * as Products from "./Products.ts"
import * as Shipping from "./Shipping.ts"
import * as StorefrontError from "./StorefrontError.ts"

const ProductId = Schema.Struct({ id: Schema.NumberFromString.check(Schema.isInt()) })
const OrderKey = Schema.Struct({ key: Schema.String })
const IdempotencyKey = Schema.Struct({
  "idempotency-key": Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(200))
})

const products = Effect.gen(function*() {
  const { source, value } = yield* Products.list
  return yield* HttpServerResponse.schemaJson(Schema.Array(Products.Product))(value, { headers: { "x-cache": source } })
})

const product = Effect.gen(function*() {
  const { id } = yield* HttpRouter.schemaPathParams(ProductId)
  const { source, value } = yield* Products.get(id)
  return yield* HttpServerResponse.schemaJson(Products.Product)(value, { headers: { "x-cache": source } })
})

const description = HttpRouter.schemaPathParams(ProductId).pipe(
  Effect.flatMap(({ id }) => Catalogue.describe(id)),
  Effect.flatMap(HttpServerResponse.schemaJson(Catalogue.Description))
)

const quote = HttpRouter.schemaPathParams(ProductId).pipe(
  Effect.flatMap(({ id }) => Shipping.quote(id)),
  Effect.flatMap(HttpServerResponse.schemaJson(Shipping.Quote))
)

const order = HttpRouter.schemaPathParams(OrderKey).pipe(
  Effect.flatMap(({ key }) => Orders.get(key)),
  Effect.flatMap(HttpServerResponse.schemaJson(Orders.Order))
)

const placeOrder = Effect.gen(function*() {
  const headers = yield* HttpServerRequest.schemaHeaders(IdempotencyKey)
  const wanted = yield* HttpServerRequest.schemaBodyJson(Orders.NewOrder)
  const placed = yield* Orders.place(headers["idempotency-key"], wanted)
  return yield* HttpServerResponse.schemaJson(Orders.Order)(placed, { status: 201 })
})

/** Whoever cannot be let in has been told already, in the words of WebSockets. */
const watch = Effect.gen(function*() {
  const feed = yield* Feed
  return yield* Effect.catch(feed.watch, () => Effect.succeed(HttpServerResponse.empty()))
})

const notFound = Effect.gen(function*() {
  const { url } = yield* HttpServerRequest.HttpServerRequest
  return yield* StorefrontError.make({ _tag: "NotFound", what: url })
})

/** The error of a request that failed. Details of what nobody expected go to the log, not to the client. */
const errorOf = Effect.fnUntraced(function*(cause: Cause.Cause<Failure>) {
  const error = Option.getOrElse(Cause.findErrorOption(cause), () => ({ _tag: "Defect" } as const))
  switch (error._tag) {
    case "SchemaError":
    case "HttpServerError":
      return StorefrontError.make({ _tag: "InvalidRequest", detail: error.message })
    case "StorefrontError":
      if (error.reason._tag === "Internal") yield* Effect.logError("A request failed", cause)
      return error
    default:
      yield* Effect.logError("A request ended in a bug", cause)
      return StorefrontError.make({ _tag: "Internal", because: error._tag })
  }
})

type Failure =
  | StorefrontError.StorefrontError
  | Schema.SchemaError
  | HttpServerError.HttpServerError
  | HttpBody.HttpBodyError

const answered = <R>(handler: Effect.Effect<HttpServerResponse.HttpServerResponse, Failure, R>) =>
  Effect.catchCause(handler, (cause) =>
    Cause.hasInterrupts(cause)
      ? Effect.interrupt
      : Effect.flatMap(errorOf(cause), HttpServerRespondable.toResponse))

export const layer = HttpRouter.addAll([
  HttpRouter.route("GET", "/products", answered(products)),
  HttpRouter.route("GET", "/products/:id", answered(product)),
  HttpRouter.route("GET", "/products/:id/description", answered(description)),
  HttpRouter.route("GET", "/products/:id/shipping", answered(quote)),
  HttpRouter.route("POST", "/orders", answered(placeOrder)),
  HttpRouter.route("GET", "/orders/:key", answered(order)),
  HttpRouter.route("GET", "/feed", watch),
  HttpRouter.route("*", "*", answered(notFound))
])
