/**
 * A shop that stays up until Ctrl-C: products, orders placed once each, health, its pools on a page. Reads what `main.ts`
 * reads, but for the addresses of the catalogue, payments and shipping, whose stand-ins it brings along.
 */
import { Lifecycle } from "@breakwater/core"
import { ConfigProvider, Effect, Layer } from "effect"
import * as Storefront from "./Storefront.ts"
import * as Neighbours from "./storm/Neighbours.ts"

const layer = Layer.unwrap(Effect.gen(function*() {
  const { env } = yield* Neighbours.make
  const config = ConfigProvider.fromEnv({ env: { ...process.env, ...env } })
  return Layer.provide(Storefront.layer, ConfigProvider.layer(config))
}))

console.log("A shop, until Ctrl-C: GET /products/1, /products/1/shipping, /health/ready, and /pools in a browser")
Lifecycle.runMain(layer, process, { grace: "1 second", deadline: "10 seconds" })
