/**
 * The Redis of a vitest run, for test files. Whether there is one is found out
 * by the `globalSetup` in `@breakwater/testing/vitest-redis`; importing this
 * module without it is an error, as tests that skip themselves for a missing
 * line of configuration would go unnoticed.
 *
 * @since 0.1.0
 */
import type * as Layer from "effect/Layer"
import { inject } from "vitest"
import * as RedisServer from "./RedisServer.ts"
import type { RedisServerError } from "./RedisServerError.ts"

/**
 * What the run's set-up hands to the test files.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shared {
  readonly available: boolean
  readonly ownAvailable: boolean
}

declare module "vitest" {
  interface ProvidedContext {
    readonly "@breakwater/testing/redis": Shared
  }
}

// Without the set-up there is nothing to inject, whatever the type says.
const shared: Shared | undefined = inject("@breakwater/testing/redis")
if (shared === undefined) {
  throw new Error("TestRedis: add \"@breakwater/testing/vitest-redis\" to globalSetup in the vitest config")
}

/**
 * Whether the run has a Redis; without one, skip what needs it.
 *
 * @since 0.1.0
 * @category predicates
 */
export const available: boolean = shared.available

/**
 * Whether `RedisServer.make({ sources: RedisServer.ownSources })` will find a
 * server that may be killed.
 *
 * @since 0.1.0
 * @category predicates
 */
export const ownAvailable: boolean = shared.ownAvailable

/**
 * A server for each use of the layer, one a test file as a rule: of its own, as
 * it starts within a moment, or the given one, which others may use too.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<RedisServer.RedisServer, RedisServerError> = RedisServer.layer()
