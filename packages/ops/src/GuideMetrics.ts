/**
 * Metrics under the names that services with hand-written pools have used, so that their boards and alerts go on working:
 * `connection_pool_*` by kind of backend, and `prisma_*` for Postgres. Beside OpenTelemetry's, which every pool has anyway;
 * nothing is counted a second time.
 *
 * `service` is the kind of a backend (`postgres`, `redis`, `http`, `mongodb`, `websocket`) and `pool_type` what it is
 * among them: `replica` for one that reads from standbys or secondaries, else `primary`, or what its option `poolType`
 * says, such as a region. Several backends with the same labels are one series, which is their sum.
 *
 * | name | labels | is |
 * |---|---|---|
 * | `connection_pool_size` | service, pool_type | connections that are open, those that are just closing included |
 * | `connection_pool_active` | service, pool_type | connections in use |
 * | `connection_pool_idle` | service, pool_type | open, and not in use |
 * | `connection_pool_wait_seconds` | service | histogram: how long borrows waited |
 * | `connection_pool_errors_total` | service, error_type | borrows that were not served, or lost their connection |
 * | `prisma_pool_size` | | connections that there may be |
 * | `prisma_active_connections` | | connections in use |
 * | `prisma_waiting_requests` | | borrows that wait |
 * | `prisma_query_duration_seconds` | | histogram: how long statements took |
 *
 * `error_type` is one of `timed_out`, `refused`, `shed`, `unavailable`, `nested`, `refused_closed`, `revoked`.
 *
 * @since 0.1.0
 */
import * as Backends from "@breakwater/core/Backends"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Aliases from "./internal/aliases.ts"

/**
 * The buckets of `prisma_query_duration_seconds`, in seconds.
 *
 * @since 0.1.0
 * @category models
 */
export const queryBuckets: ReadonlyArray<number> = Aliases.queryBuckets

/**
 * Shows the metrics, of whatever backends there are, for as long as the layer is in use.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<never> = Layer.effectDiscard(Effect.gen(function*() {
  const kinds = new Map<string, Aliases.Kind>()
  const context = yield* Effect.context<never>()
  const follow = (entries: ReadonlyArray<Backends.Entry>) => {
    const now = new Set(entries.map(({ backend }) => backend))
    for (const kind of kinds.values()) kind.keepOnly(now)
    for (const backend of now) {
      const kind = kinds.get(backend.kind) ?? new Aliases.Kind(backend.kind, context)
      kinds.set(backend.kind, kind)
      kind.add(backend)
    }
  }
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const kind of kinds.values()) kind.hide()
    })
  )
  // What is there now is shown when the layer is, not a moment later.
  follow(yield* Backends.list)
  yield* Effect.forkScoped(
    Stream.runForEach(Backends.changes, (entries) => Effect.sync(() => follow(entries))),
    { startImmediately: true }
  )
}))
