/** The pool that comes with Effect, with `Effect.timeout` around a borrow, as its users bound theirs. */
import { Effect, Exit, Pool, Scope } from "effect"
import type { Conformance } from "../../src/index.ts"
import { Leases, open } from "./leases.ts"
import { versionOf } from "./versions.ts"

const faceOf = (
  pool: Pool.Pool<Conformance.Connection, unknown>,
  setup: Conformance.Setup,
  close: Effect.Effect<void>
): Conformance.Pool => {
  const leases = new Leases()
  return {
    acquire: (options) =>
      leases.take(
        Effect.timeout(Pool.get(pool), Math.min(setup.timeout, options?.deadline ?? Infinity)),
        options?.signal
      ),
    release: (connection) => leases.give(connection),
    invalidate: (connection) => Effect.runPromise(Pool.invalidate(pool, connection)),
    stats: () => {
      const { idle, pending, used } = Effect.runSync(Pool.stats(pool))
      return { idle, used, waiting: pending }
    },
    close: () => Effect.runPromise(close)
  }
}

export const effectPool: Conformance.Adapter = {
  name: "effect",
  version: versionOf("effect"),
  accepts: ["signal"],
  make: async (setup) => {
    const scope = Scope.makeUnsafe()
    const make = Pool.makeWithTTL({
      acquire: open(setup.server),
      min: setup.min,
      max: setup.max,
      timeToLive: setup.lifetime ?? "1 minute",
      timeToLiveStrategy: setup.lifetime === undefined ? "usage" : "creation"
    })
    const pool = await Effect.runPromise(Scope.provide(make, scope))
    return faceOf(pool, setup, Scope.close(scope, Exit.void))
  }
}
