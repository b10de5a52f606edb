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

interface Bare {
  readonly retry?: false | object | undefined
  readonly breaker?: false | object | undefined
}

/** The policy of a backend, which has one of its own where none is given. */
export const config = <A extends Bare>(policy: A): Config.Config<A | typeof bare> =>
  Config.map(setting, (on) => on ? policy : bare)

const bare = { retry: false, breaker: false } as const
