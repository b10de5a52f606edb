/**
 * The `globalSetup` that finds the Redis of a whole vitest run, and installs
 * one where it may. Test files reach it through `TestRedis`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { TestProject } from "vitest/node"
import * as RedisServer from "../RedisServer.ts"
import type { Shared } from "../TestRedis.ts"

/**
 * Tells the test files whether there is a server. Where none is to be had, says
 * so once, with what to install: what needs it is then skipped. Any other
 * failure fails the run.
 *
 * @since 0.1.0
 * @category globalSetup
 */
export default async (project: TestProject): Promise<void> => {
  project.provide("@breakwater/testing/redis", await Effect.runPromise(find))
}

const find: Effect.Effect<Shared, unknown> = Effect.gen(function*() {
  yield* RedisServer.make()
  return { available: true, ownAvailable: yield* RedisServer.hasBinaries }
}).pipe(
  Effect.scoped,
  Effect.catchReason("RedisServerError", "NotFound", (reason) =>
    Effect.sync(() => {
      process.stdout.write(`[skipped] redis: ${reason.message}\n`)
      return { available: false, ownAvailable: false }
    }))
)
