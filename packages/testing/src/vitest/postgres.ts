/**
 * The `globalSetup` that starts one Postgres for a whole vitest run. Test
 * files reach it through `TestPostgres`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { TestProject } from "vitest/node"
import * as PostgresServer from "../PostgresServer.ts"
import type { Shared } from "../TestPostgres.ts"

/**
 * Starts the server and tells the test files of it; ends it after the run.
 * Where none is to be had, says so once, with what to install: what needs it is
 * then skipped. Any other failure fails the run.
 *
 * @since 0.1.0
 * @category globalSetup
 */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  const scope = Scope.makeUnsafe()
  const shared = await Effect.runPromise(start.pipe(
    Scope.provide(scope),
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  ))
  project.provide("@breakwater/testing/postgres", shared)
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}

const start: Effect.Effect<Shared, unknown, Scope.Scope> = Effect.gen(function*() {
  const server = yield* PostgresServer.make()
  return {
    server: { url: Redacted.value(server.url), adminUrl: Redacted.value(server.adminUrl) },
    ownAvailable: !server.given || (yield* PostgresServer.hasBinaries)
  }
}).pipe(
  Effect.catchReason("PostgresServerError", "NotFound", (reason) =>
    Effect.sync(() => {
      process.stdout.write(`[skipped] postgres: ${reason.message}\n`)
      return { server: undefined, ownAvailable: false }
    }))
)
