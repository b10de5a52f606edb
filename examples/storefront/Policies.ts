/** Whether policies guard the calls: POLICIES=false runs the shop bare, with pools only, to see what they are for. */
import { CallPolicy } from "@breakwater/core"
import { Config, Context, Effect, Layer } from "effect"

const setting = Config.Boolean("POLICIES").pipe(Config.withDefault(true))

export class Policies extends Context.Service<Policies, { readonly on: boolean }>()("storefront/Policies") {
  static readonly layer = Layer.effect(
    Policies,
    Effect.gen(function*() {
      return { on: yield* setting }
    })
  )
}

/** Of a backend that only lends connections. */
export const BARE = { retry: false, breaker: false, recover: false } as const

/** The policy of a backend, which operators may set as well, or what it has without. */
export const config = <const A extends CallPolicy.Options, const B>(prefix: string, policy: A, bare: B) =>
  Config.map(Config.all([setting, CallPolicy.config(policy, prefix)]), ([on, set]) => on ? set : bare)
