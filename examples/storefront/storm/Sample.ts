/** What the client saw of one request: what its process tells the storm's, in lines of JSON. */
import { Schema } from "effect"
import { Order } from "../Orders.ts"

export const Sample = Schema.Struct({
  kind: Schema.Literals(["read", "order", "description", "quote"]),
  /** Epoch milliseconds. A request begins when it was due, so that a client held up makes nothing look faster. */
  began: Schema.Number,
  ended: Schema.Number,
  /** Where the storefront found what was read. */
  cache: Schema.optionalKey(Schema.String),
  /** Absent where it succeeded. `name` is a `Tag.Reason`. */
  failure: Schema.optionalKey(Schema.Struct({
    how: Schema.Literals(["typed", "untyped", "socket", "timeout"]),
    name: Schema.String
  })),
  /** The order that the storefront said is placed. */
  order: Schema.optionalKey(Order)
})

export type Sample = typeof Sample.Type
export type Failure = NonNullable<Sample["failure"]>

/** One line. */
export const Batch = Schema.fromJsonString(Schema.Array(Sample))
