/** Leases of Effect as the kit asks for them: taken by one call, given back by another. */
import { Effect, Exit, Scope } from "effect"
import type { Conformance } from "../../src/index.ts"

/**
 * Opens a connection. Whoever is interrupted leaves nothing open, even if the dial has just succeeded and nobody has
 * heard of it yet.
 */
export const open = (
  server: Conformance.Server
): Effect.Effect<Conformance.Connection, unknown, Scope.Scope> => {
  const dial = Effect.callback<Conformance.Connection, unknown>((resume, signal) => {
    const dialled = server.open(signal)
    dialled.then((connection) => resume(Effect.succeed(connection)), (error: unknown) => resume(Effect.fail(error)))
    return Effect.promise(() => dialled.then((connection) => server.close(connection), () => {}))
  })
  return Effect.acquireRelease(dial, (connection) => Effect.promise(() => server.close(connection)), {
    interruptible: true
  })
}

export class Leases {
  private readonly scopes = new Map<Conformance.Connection, Scope.Closeable>()

  async take(
    borrow: Effect.Effect<Conformance.Connection, unknown, Scope.Scope>,
    signal: AbortSignal | undefined
  ): Promise<Conformance.Connection> {
    const scope = Scope.makeUnsafe()
    // Whoever did not get a connection leaves nothing behind.
    const lease = Effect.onError(Scope.provide(borrow, scope), () => Scope.close(scope, Exit.void))
    const connection = await Effect.runPromise(lease, { signal })
    this.scopes.set(connection, scope)
    return connection
  }

  async give(connection: Conformance.Connection): Promise<void> {
    const scope = this.scopes.get(connection)
    this.scopes.delete(connection)
    if (scope !== undefined) await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
