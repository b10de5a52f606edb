/**
 * The same database for code outside Effect: promises that reject with the same typed errors, and an `AbortSignal` for
 * every call.
 *
 * @internal
 */
import type * as Pool from "@breakwater/core/Pool"
import { run, type RunOptions, type Started as Running } from "@breakwater/core/Promises"
import type * as Effect from "effect/Effect"
import type { Work } from "./calls.ts"

/**
 * Work as promises.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  /** As `use` of the service. `label` names the call in errors and events. */
  readonly use: <A>(work: Work<A>, options?: RunOptions & { readonly label?: string | undefined }) => Promise<A>
}

/**
 * A database that runs until `close`.
 *
 * @since 0.1.0
 * @category models
 */
export type Started = Running<Client, Pool.Stats>

interface Service {
  readonly use: <A>(work: Work<A>, options?: { readonly label?: string | undefined }) => Effect.Effect<A, unknown>
}

export const clientOf = (service: Service): Client => ({
  use: (work, given) => run(service.use(work, { label: given?.label }), given)
})
