/**
 * The backends of a process. Their layers register them on start and take them out on close, so that health checks
 * and shutdown find them without being told of each.
 *
 * The registry is one per process, also where several copies of this package were installed; `isolated` gives a test
 * one of its own.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { attributes } from "../internal/metricNames.ts"
import * as Policy from "../policy/Policy.ts"
import type { Backend } from "./Backend.ts"

/**
 * A registered backend. `label` is its name, made unique where a name is used twice: `orders`, `orders#2`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly label: string
  readonly backend: Backend
}

/** Keyed by identity: a name is no key, since two backends may share it. */
type Registry = Map<Backend, Entry>

const GLOBAL = Symbol.for("@breakwater/core/Backends")

const processWide = (): Registry => {
  // A property that only this function writes, under a symbol of its own.
  const holder = globalThis as { [GLOBAL]?: Registry }
  return holder[GLOBAL] ??= new Map()
}

const Registry = Context.Reference<Registry>("@breakwater/core/Backends", { defaultValue: processWide })

/**
 * Registers a backend until the scope closes, and shows the metrics of its policies. Warns when another one has the same
 * name.
 *
 * @since 0.1.0
 * @category registering
 */
export const register = (backend: Backend): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const registry = yield* Registry
    const label = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const entry = { label: freeLabel(registry, backend.name), backend }
        registry.set(backend, entry)
        return entry.label
      }),
      () => Effect.sync(() => registry.delete(backend))
    )
    yield* Policy.showMetrics({
      name: label,
      snapshot: () => Effect.runSync(backend.policy),
      attributes: { [attributes.backend]: backend.kind }
    })
    if (label !== backend.name) {
      yield* Effect.logWarning(`A backend named "${backend.name}" exists already; this one shows as "${label}"`)
    }
  })

/**
 * Those registered now, in the order of their registration.
 *
 * @since 0.1.0
 * @category observing
 */
export const list: Effect.Effect<ReadonlyArray<Entry>> = Effect.map(Registry, (registry) => [...registry.values()])

/**
 * Runs an effect, and the layers it builds, with an empty registry of their own.
 *
 * @since 0.1.0
 * @category testing
 */
export const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(effect, Registry, new Map()))

const freeLabel = (registry: Registry, name: string): string => {
  const taken = new Set(Array.from(registry.values(), (entry) => entry.label))
  if (!taken.has(name)) return name
  let n = 2
  while (taken.has(`${name}#${n}`)) n++
  return `${name}#${n}`
}
