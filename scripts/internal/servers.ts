/** The servers for the examples and document fences of a run, each started when the first asks for it. */
import { Effect, Exit, Redacted, Scope } from "effect"

/** The variables that programs read the addresses of servers from. */
export const variables = ["DATABASE_URL", "REDIS_URL"] as const

export type Variable = (typeof variables)[number]

/** What a program wants to be given. */
export const wantedBy = (texts: ReadonlyArray<string>): ReadonlyArray<Variable> =>
  variables.filter((variable) => texts.some((text) => text.includes(variable)))

export type Environment = { readonly [variable in Variable]?: string }

export interface Servers {
  /** Addresses, of a database or a server of the program's own, or why one cannot be had; a Redis that was named is used as it is. */
  readonly give: (
    wanted: ReadonlyArray<Variable>
  ) => Promise<{ readonly environment: Environment } | { readonly missing: string }>
  readonly close: () => Promise<void>
}

/** Gives the address of a server, each time it is asked, or says why there is none. */
type Source = Effect.Effect<Redacted.Redacted | { readonly missing: string }, unknown, Scope.Scope>

const postgres: Effect.Effect<Source, unknown, Scope.Scope> = Effect.gen(function*() {
  const { PostgresServer } = yield* Effect.promise(() => import("../../packages/testing/src/index.ts"))
  return yield* PostgresServer.make().pipe(
    Effect.map((server): Source => Effect.map(server.createDatabase, ({ url }) => url)),
    Effect.catchReason(
      "PostgresServerError",
      "NotFound",
      ({ message }) => Effect.succeed<Source>(Effect.succeed({ missing: message }))
    )
  )
})

/** One for each program: it starts within a moment, and the databases of one server share its channels. */
const redis: Source = Effect.gen(function*() {
  const { RedisServer } = yield* Effect.promise(() => import("../../packages/testing/src/index.ts"))
  return yield* RedisServer.make().pipe(
    Effect.map(({ url }) => url),
    Effect.catchReason("RedisServerError", "NotFound", ({ message }) => Effect.succeed({ missing: message }))
  )
})

const sources: Record<Variable, Effect.Effect<Source, unknown, Scope.Scope>> = {
  DATABASE_URL: postgres,
  REDIS_URL: Effect.succeed(redis)
}

export const make = (): Servers => {
  const scope = Effect.runSync(Scope.make())
  const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.runPromise(Scope.provide(effect, scope))
  const started = new Map<Variable, Promise<Source>>()
  const start = (variable: Variable) => {
    const promise = started.get(variable) ?? inScope(sources[variable])
    started.set(variable, promise)
    return promise
  }
  return {
    give: async (wanted) => {
      const environment: { [variable in Variable]?: string } = {}
      for (const variable of wanted) {
        const address = await inScope(await start(variable))
        if ("missing" in address) return address
        environment[variable] = Redacted.value(address)
      }
      return { environment }
    },
    close: async () => {
      // A start that is under way belongs to the scope only once it has ended.
      await Promise.allSettled(started.values())
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
}
