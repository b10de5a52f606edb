/**
 * What the outside may ask about this process: health for everybody, the rest for who has OPS_TOKEN, or, where it is not
 * set, for this machine.
 */
import { Ops } from "@breakwater/ops"
import { Config, Effect, Layer, Option } from "effect"

export const layer = Layer.unwrap(Effect.gen(function*() {
  const token = yield* Config.option(Config.Redacted("OPS_TOKEN"))
  return Ops.layer({ service: "storefront", dashboard: "public", token: Option.getOrUndefined(token) })
}))
