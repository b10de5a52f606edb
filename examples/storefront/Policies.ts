/** Whether policies guard the calls: POLICIES=false runs the shop bare, with pools only, to see what they are for. */
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

/** The policy of a backend, or what it has without. */
export const config = <A>(policy: A, bare: A): Config.Config<A> => Config.map(setting, (on) => on ? policy : bare)
