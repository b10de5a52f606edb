/**
 * A shop: products, orders placed once each, health, and an end that loses nothing. Reads DATABASE_URL, PORT and HOST.
 *
 * Ends on SIGTERM and SIGINT: exit code 0 when everything in flight was finished, 1 when that took too long.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Exit, Layer } from "effect"
import * as Storefront from "./Storefront.ts"

const SHUTDOWN_LIMIT_MILLIS = 10_000

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  // Whatever hangs, the process ends.
  process.once(signal, () => setTimeout(() => process.exit(1), SHUTDOWN_LIMIT_MILLIS).unref())
}

NodeRuntime.runMain(Layer.launch(Storefront.layer), {
  teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
})
