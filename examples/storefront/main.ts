/**
 * A shop: products, orders placed once each, health, and an end that loses nothing. Reads DATABASE_URL, PORT and HOST.
 *
 * Ends on SIGTERM and SIGINT: exit code 0 when everything in flight was finished, 1 when that took too long. A second
 * signal ends every wait.
 */
import { Lifecycle } from "@breakwater/core"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Effect, Exit, Layer } from "effect"
import * as Storefront from "./Storefront.ts"

const SHUTDOWN_LIMIT_MILLIS = 10_000

/** What holds the lifecycle outlives the first signal: it is there for the second. */
const layerForce = Layer.effectDiscard(Effect.gen(function*() {
  const { force } = yield* Lifecycle.Lifecycle
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    let ending = false
    // One listener for both: on Deno a listener that is added by the first signal hears that one, too.
    process.on(signal, () => {
      if (ending) return Effect.runFork(force)
      ending = true
      // Whatever hangs, the process ends.
      return setTimeout(() => process.exit(1), SHUTDOWN_LIMIT_MILLIS).unref()
    })
  }
}))

NodeRuntime.runMain(Layer.launch(Layer.provide(layerForce, Storefront.layer)), {
  teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
})
