/**
 * The same pool for code outside Effect: promises that reject with the same typed errors, and an `AbortSignal` for every
 * call.
 *
 * @internal
 */
import type { Started as Running } from "@breakwater/core/Promises"
import type { Dispatcher } from "undici/index.js"
import { type Fetch, fetchOf } from "./dispatcher.ts"
import type { Stats } from "./stats.ts"

/**
 * What sends requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  /**
   * As the standard's; takes its signal in `init`. Rejects as `fetch` does, with a `TypeError` whose `cause` is the typed
   * error. Redirects are those of `fetch`.
   */
  readonly fetch: Fetch
  /** For what takes an undici `Dispatcher`. Closing it has no effect. */
  readonly dispatcher: Dispatcher
}

/**
 * A pool that runs until `close`, which lets bodies finish too.
 *
 * @since 0.1.0
 * @category models
 */
export type Started = Running<Client, Stats>

export const clientOf = ({ dispatcher }: { readonly dispatcher: Dispatcher }): Client => ({
  fetch: fetchOf(dispatcher),
  dispatcher
})
