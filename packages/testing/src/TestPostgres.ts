/**
 * The one Postgres of a vitest run, for test files. It is started by the
 * `globalSetup` in `@breakwater/testing/vitest-postgres`; importing this module
 * without it is an error, as tests that skip themselves for a missing line of
 * configuration would go unnoticed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { inject } from "vitest"
import { errors } from "./internal/postgres/errors.ts"
import * as PostgresServer from "./PostgresServer.ts"
import type { PostgresServerError } from "./PostgresServerError.ts"

/**
 * What the run's set-up hands to the test files.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shared {
  readonly server: { readonly url: string; readonly adminUrl: string } | undefined
  readonly ownAvailable: boolean
}

declare module "vitest" {
  interface ProvidedContext {
    readonly "@breakwater/testing/postgres": Shared
  }
}

// Without the set-up there is nothing to inject, whatever the type says.
const shared: Shared | undefined = inject("@breakwater/testing/postgres")
if (shared === undefined) {
  throw new Error("TestPostgres: add \"@breakwater/testing/vitest-postgres\" to globalSetup in the vitest config")
}
const { ownAvailable: own, server } = shared

/**
 * Whether the run has a Postgres; without one, skip what needs it.
 *
 * @since 0.1.0
 * @category predicates
 */
export const available: boolean = server !== undefined

/**
 * Whether `PostgresServer.make({ sources: PostgresServer.ownSources })` will
 * find a server that may be killed.
 *
 * @since 0.1.0
 * @category predicates
 */
export const ownAvailable: boolean = own

/**
 * The run's server with a database of its own for each use of the layer, one a
 * test file as a rule: dropped with it. It is shared, so it can't be stopped or
 * killed (`NotOurs`).
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<PostgresServer.PostgresServer, PostgresServerError> = Layer.effect(
  PostgresServer.PostgresServer,
  server === undefined
    ? Effect.fail(errors.notFound([]))
    : Effect.flatMap(
      PostgresServer.attach({ url: Redacted.make(server.url), adminUrl: Redacted.make(server.adminUrl) }),
      PostgresServer.withFreshDatabase
    )
)
