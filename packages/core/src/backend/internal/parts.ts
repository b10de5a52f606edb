/**
 * What a process has by a name besides its backends, so that it can say at its end what hangs.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"

export interface Part {
  readonly name: string
  /** It is being built, it is there, or its end has begun. */
  phase: "building" | "built" | "ending"
  readonly ended: Latch.Latch
}

/** Those that have not ended. A runner gives its process a set of its own. */
export const Parts = Context.Reference<Set<Part>>("@breakwater/core/Lifecycle/Parts", { defaultValue: () => new Set() })

/** Those that hang, in the order of their start. What is there, and whose end has not begun, waits for another. */
export const unfinished = (parts: Iterable<Part>): ReadonlyArray<string> =>
  [...parts].flatMap(({ ended, name, phase }) => phase !== "built" && !ended.isOpen() ? [name] : [])

export const named = <A, E, R>(layer: Layer.Layer<A, E, R>, name: string): Layer.Layer<A, E, R> =>
  Layer.fromBuildMemo((memoMap, scope) =>
    Effect.gen(function*() {
      const parts = yield* Parts
      const part: Part = { name, phase: "building", ended: Latch.makeUnsafe() }
      const inner = yield* Scope.make()
      const over = Effect.sync(() => {
        parts.delete(part)
        part.ended.openUnsafe()
      })
      yield* Scope.addFinalizerExit(scope, (exit) => {
        part.phase = "ending"
        return Effect.ensuring(Scope.close(inner, exit), over)
      })
      parts.add(part)
      const built = Effect.sync(() => {
        if (part.phase === "building") part.phase = "built"
      })
      return yield* Effect.ensuring(Layer.buildWithMemoMap(layer, memoMap, inner), built)
    })
  )
