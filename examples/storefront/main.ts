/**
 * A shop: products, orders placed once each, health, and an end that loses nothing. Reads DATABASE_URL, MONGODB_URL,
 * PAYMENTS_URL and SHIPPING_URL, without which it does not start, and REDIS_URL, OPS_TOKEN, PORT, HOST and DRAIN_GRACE.
 *
 * Ends on SIGTERM and SIGINT, with the exit codes of `Lifecycle.run`.
 */
import { Lifecycle } from "@breakwater/core"
import { Config, Effect } from "effect"
import * as Storefront from "./Storefront.ts"

const grace = Effect.runSync(Config.Duration("DRAIN_GRACE").pipe(Config.withDefault("1 second")))

Lifecycle.runMain(Storefront.layer, process, { grace, deadline: "10 seconds" })
