/**
 * The one error of the storefront as its clients see it: every answer of 4xx and 5xx carries it. A client decides by
 * the reason; `because` names the failure behind it, for people and dashboards.
 */
import { Outcome } from "@breakwater/core"
import { Schema } from "effect"
import { HttpServerRespondable, HttpServerResponse } from "effect/http"
import * as BackendFailure from "./BackendFailure.ts"

const later = { because: Schema.String, retryAfterMillis: Schema.Int }

const Reason = Schema.Union([
  Schema.TaggedStruct("InvalidRequest", { detail: Schema.String }),
  Schema.TaggedStruct("NotFound", { what: Schema.String }),
  Schema.TaggedStruct("OutOfStock", { product: Schema.Int }),
  /** The idempotency key belongs to an order of something else. */
  Schema.TaggedStruct("KeyReused", { key: Schema.String }),
  /** More was asked for than the pool can serve; nothing was done. */
  Schema.TaggedStruct("Busy", later),
  /** A backend cannot be reached, or the connection to it was lost. */
  Schema.TaggedStruct("Unavailable", later),
  /** It took too long and was given up. */
  Schema.TaggedStruct("TimedOut", later),
  /** The order is placed, or it is not. The same request with the same key finds out, and places it once at most. */
  Schema.TaggedStruct("OutcomeUnknown", { key: Schema.String, ...later }),
  /** A bug. The log has the details. */
  Schema.TaggedStruct("Internal", { because: Schema.String })
])

export type Reason = typeof Reason.Type

const statusOf: Record<Reason["_tag"], number> = {
  InvalidRequest: 400,
  NotFound: 404,
  OutOfStock: 409,
  KeyReused: 422,
  Busy: 503,
  Unavailable: 503,
  TimedOut: 504,
  OutcomeUnknown: 503,
  Internal: 500
}

export class StorefrontError extends Schema.TaggedError<StorefrontError>()("StorefrontError", { reason: Reason })
  implements Outcome.Carrier, HttpServerRespondable.Respondable
{
  /** What the shop itself refuses shows the database to be well: policies must not repeat it. */
  get outcome(): Outcome.Outcome {
    return Outcome.success
  }

  [HttpServerRespondable.symbol]() {
    const { reason } = this
    const headers = "retryAfterMillis" in reason
      ? { "retry-after": String(Math.ceil(reason.retryAfterMillis / 1000)) }
      : {}
    return HttpServerResponse.schemaJson(StorefrontError)(this, { status: statusOf[reason._tag], headers })
  }
}

export const make = (reason: Reason): StorefrontError => new StorefrontError({ reason })

/** What a failure of a backend means to a client of the shop. */
export const fromBackend = (error: BackendFailure.BackendFailure): StorefrontError => {
  const _tag = BackendFailure.kindOf(error)
  const because = BackendFailure.because(error)
  return make(
    _tag === "Internal"
      ? { _tag, because }
      : { _tag, because, retryAfterMillis: BackendFailure.retryAfterMillis(error) }
  )
}

/** The same for an order that may have been placed. */
export const outcomeUnknown = (key: string, error: BackendFailure.BackendFailure): StorefrontError =>
  make({
    _tag: "OutcomeUnknown",
    key,
    because: BackendFailure.because(error),
    retryAfterMillis: BackendFailure.retryAfterMillis(error)
  })
