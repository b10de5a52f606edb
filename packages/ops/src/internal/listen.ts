/**
 * Hears of what happens to all backends, also those that come later, until the scope closes. What a backend says after it
 * has left the registry, while it ends, is still heard.
 *
 * @internal
 */
import type { Backend } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

export const listen = <A>(
  streamOf: (backend: Backend) => Stream.Stream<A>,
  onEvent: (entry: Backends.Entry, event: A) => Effect.Effect<void>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const heard = new WeakSet<Backend>()
    const hear = (entry: Backends.Entry) => {
      if (heard.has(entry.backend)) return Effect.void
      heard.add(entry.backend)
      return Effect.forkScoped(
        Stream.runForEach(streamOf(entry.backend), (event) => onEvent(entry, event)),
        { startImmediately: true }
      )
    }
    return Effect.asVoid(Effect.forkScoped(
      Stream.runForEach(Backends.changes, (entries) => Effect.forEach(entries, hear, { discard: true })),
      { startImmediately: true }
    ))
  })
