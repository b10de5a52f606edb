import * as Context from "effect/Context"

/**
 * Gives up what runs on the borrowed connection: it is cancelled at the server, and the connection closed under it. A
 * pool that can cancel sets it for the work on a lease; a time limit of a policy inside the lease calls it, so that it
 * need not wait for a driver that hears nothing.
 *
 * @internal
 */
export const GiveUp: Context.Reference<(() => void) | undefined> = Context.Reference<(() => void) | undefined>(
  "@breakwater/core/GiveUp",
  { defaultValue: () => undefined }
)
