/** One Postgres for the examples and document fences of a run, started when the first asks for it. */
import { Effect, Exit, Redacted, Scope } from "effect"
import type * as PostgresServer from "../../packages/testing/src/PostgresServer.ts"

/** A fresh database, or why there is none. */
export type Database = { readonly url: string } | { readonly missing: string }

export interface Databases {
  readonly fresh: () => Promise<Database>
  readonly close: () => Promise<void>
}

type Started = { readonly server: PostgresServer.PostgresServer } | { readonly missing: string }

const start = async (scope: Scope.Scope): Promise<Started> => {
  const { PostgresServer } = await import("../../packages/testing/src/index.ts")
  const started = PostgresServer.make().pipe(
    Effect.map((server) => ({ server })),
    Effect.catchReason("PostgresServerError", "NotFound", (reason) => Effect.succeed({ missing: reason.message })),
    Scope.provide(scope)
  )
  return Effect.runPromise(started)
}

export const make = (): Databases => {
  const scope = Effect.runSync(Scope.make())
  let started: Promise<Started> | undefined
  return {
    fresh: async () => {
      started ??= start(scope)
      const result = await started
      if ("missing" in result) return result
      const database = await Effect.runPromise(Scope.provide(result.server.createDatabase, scope))
      return { url: Redacted.value(database.url) }
    },
    close: async () => {
      // A start that is under way belongs to the scope only once it has ended.
      await started?.catch(() => undefined)
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
}
