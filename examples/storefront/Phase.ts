/**
 * The phases of the process: starting until the database was reached, ready, draining from the first word of the end.
 * Draining comes before anything is closed, so that whoever balances load can look elsewhere first.
 */
import { Config, Context, Effect, Layer, Ref, Schedule } from "effect"
import * as Database from "./Database.ts"

export class Phase extends Context.Service<Phase, Ref.Ref<"starting" | "ready" | "draining">>()("storefront/Phase") {
  static readonly layer = Layer.effect(Phase, Ref.make<"starting" | "ready" | "draining">("starting"))
}

/** Prepares the database in the background, for as long as that takes. */
export const layerStarting = Layer.effectDiscard(Effect.gen(function*() {
  const phase = yield* Phase
  yield* Database.migrate.pipe(
    Effect.tapError((error) => Effect.logWarning(`The database is not ready: ${error.message}`)),
    Effect.retry(Schedule.spaced("500 millis")),
    Effect.andThen(Ref.update(phase, (current) => current === "starting" ? "ready" : current)),
    Effect.forkScoped
  )
}))

/** Turns readiness off and waits a while. Belongs outside of what must keep working meanwhile: layers end inwards. */
export const layerDraining = Layer.effectDiscard(Effect.gen(function*() {
  const phase = yield* Phase
  const grace = yield* Config.Duration("DRAIN_GRACE").pipe(Config.withDefault("1 second"))
  yield* Effect.addFinalizer(() =>
    Ref.set(phase, "draining").pipe(
      Effect.andThen(Effect.log("draining")),
      Effect.andThen(Effect.sleep(grace))
    )
  )
}))
