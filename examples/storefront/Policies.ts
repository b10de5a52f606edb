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

/** The policy of a backend, which operators may set as well; bare it has neither retry nor breaker. */
export const config = <A extends CallPolicy.Options>(prefix: string, policy: A) =>
  Config.map(
    Config.all([setting, CallPolicy.config(policy, prefix)]),
    ([on, set]) => on ? set : { retry: false, breaker: false } as const
  )
