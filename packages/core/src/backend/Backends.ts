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
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { attributes } from "../internal/metricNames.ts"
import * as Policy from "../policy/Policy.ts"
import type { Backend } from "./Backend.ts"
import { showOperations } from "./internal/operationMetrics.ts"
import { Parts } from "./internal/parts.ts"

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

interface Registry {
  /** Keyed by identity: a name is no key, since two backends may share it. */
  readonly entries: Map<Backend, Entry>
  /** Called when one comes or leaves. */
  readonly listeners: Set<() => void>
}

const empty = (): Registry => ({ entries: new Map(), listeners: new Set() })

const listOf = ({ entries }: Registry): ReadonlyArray<Entry> => [...entries.values()]

const changed = ({ listeners }: Registry): void => {
  for (const listener of listeners) listener()
}

const GLOBAL = Symbol.for("@breakwater/core/Backends")

const processWide = (): Registry => {
  // A property that only this function writes, under a symbol of its own.
  const holder = globalThis as { [GLOBAL]?: Registry }
  return holder[GLOBAL] ??= empty()
}

const Registry = Context.Reference<Registry>("@breakwater/core/Backends", { defaultValue: processWide })

/**
 * Registers a backend until the scope closes. Until then Effect's `Metric.snapshot`, and so every exporter, has the metrics
 * of its policies, and the times of its operations where it takes them: `db.client.operation.duration`, or
 * `http.client.request.duration`, and `breakwater.backend.failures`. Warns when another one has the same name.
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
        registry.entries.set(backend, entry)
        changed(registry)
        return entry.label
      }),
      () =>
        Effect.sync(() => {
          registry.entries.delete(backend)
          changed(registry)
        })
    )
    yield* showOperations(label, backend)
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
export const list: Effect.Effect<ReadonlyArray<Entry>> = Effect.map(Registry, listOf)

/**
 * Those registered now, and again whenever one comes or leaves. Who is slow misses what was in between, never the last.
 *
 * @since 0.1.0
 * @category observing
 */
export const changes: Stream.Stream<ReadonlyArray<Entry>> = Stream.unwrap(
  Effect.map(Registry, (registry) =>
    Stream.callback<ReadonlyArray<Entry>>((queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const tell = () => void Queue.offerUnsafe(queue, listOf(registry))
          registry.listeners.add(tell)
          tell()
          return tell
        }),
        (tell) => Effect.sync(() => registry.listeners.delete(tell))
      ), { bufferSize: 1, strategy: "sliding" }))
)

/**
 * Runs an effect, and the layers it builds, with an empty registry of their own; `Lifecycle` in it knows no names of others.
 *
 * @since 0.1.0
 * @category testing
 */
export const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(Effect.provideService(effect, Registry, empty()), Parts, new Set()))

const freeLabel = (registry: Registry, name: string): string => {
  const taken = new Set(Array.from(registry.entries.values(), (entry) => entry.label))
  if (!taken.has(name)) return name
  let n = 2
  while (taken.has(`${name}#${n}`)) n++
  return `${name}#${n}`
}
