/**
 * A pool of connections, or of anything that is dear to open: a hard cap, one deadline over queue, dial and check, a
 * bounded queue in order of arrival, checks of what has been idle, and an end that leaves nothing open.
 *
 * The pool knows when to open, lend, check and close. It leaves to others what a connection is (`acquire`), whether
 * the work on it should be tried again (policies), and which of its failures mean that it is broken (backends, through
 * `invalidate` or `check.isAlive`).
 *
 * Gotchas: a borrow inside a borrow of the same pool needs two connections. When many of them wait for one another the
 * newest fails as `NestedAcquire` (`wait.nested`); of two pools that wait for one another nothing is known, and
 * `wait.timeout` ends it. `use` returns the connection as soon as its effect ends, so nothing that uses it may be
 * forked and left behind.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { AmbientDeadline } from "../internal/ambientDeadline.ts"
import { Deadlines } from "../internal/deadlines.ts"
import { EventHub } from "../internal/eventHub.ts"
import { Outbox } from "../internal/outbox.ts"
import { boundedMillis, finiteMillis, refuse } from "../internal/validate.ts"
import type { Detail } from "./internal/detail.ts"
import { Dialer } from "./internal/dialer.ts"
import { type Fork, PoolEdges } from "./internal/edges.ts"
import { Held } from "./internal/lineage.ts"
import type { MetricsSource } from "./internal/metrics.ts"
import * as Metrics from "./internal/metrics.ts"
import { type Options, resolve, resolveSize, type UseOptions } from "./internal/options.ts"
import { PoolState } from "./internal/poolState.ts"
import { AbandonableRequest, GetRequest, UseRequest, type Work } from "./internal/requests.ts"
import type { Stats } from "./internal/stats.ts"
import { awaitDrained, awaitWarm, type DrainReport } from "./internal/whole.ts"
import type { PoolError } from "./PoolError.ts"
import type { CloseReason, PoolEvent } from "./PoolEvent.ts"

export type { Detail, LastError } from "./internal/detail.ts"
export type { Nested } from "./internal/lineage.ts"
export type { MetricsSource } from "./internal/metrics.ts"
export type { CoDel, Options, Start, UseOptions } from "./internal/options.ts"
export { emptyStats, type Stats } from "./internal/stats.ts"
export type { DrainReport } from "./internal/whole.ts"

const TypeId = "~@breakwater/core/Pool"

/**
 * A pool of `A`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pool<in out A> extends Pipeable {
  readonly [TypeId]: PoolState<A>
  readonly name: string
}

/**
 * Whether a value is a `Pool`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isPool = (u: unknown): u is Pool<unknown> => Predicate.hasProperty(u, TypeId)

/** How long the end of a pool's scope waits for borrows to finish, in milliseconds, unless it was drained before. */
const CLOSE_GRACE = 5000

/**
 * Makes a pool that lives as long as the scope. The scope's end drains it with a deadline of five seconds. Until then
 * Effect's `Metric.snapshot`, and so every exporter, has its metrics: those that OpenTelemetry names for the connections
 * of a client, and `breakwater.pool.*`, read at that moment.
 *
 * Throws a `RangeError` for an option that is not allowed. Fails only with `start: "fail-fast"`, as `Unavailable` or
 * `AcquireTimeout`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, E, R>(options: Options<A, E, R>): Effect.Effect<Pool<A>, PoolError, R | Scope.Scope> => {
  const settings = resolve(options)
  return Effect.gen(function*() {
    const context = Context.add(yield* Effect.context<R | Scope.Scope>(), AmbientDeadline, Infinity)
    const events = yield* EventHub.make<PoolEvent>()
    const runFork = Effect.runForkWith(context)
    const fork: Fork = (effect) => runFork(effect)
    const clock = Context.get(context, Clock.Clock)
    const deadlines = new Deadlines(clock, fork)
    const outbox = new Outbox(Context.get(context, Scheduler.Scheduler))
    const dialer = new Dialer(settings.dialConcurrency, settings.backoff, deadlines)
    const open = (scope: Scope.Scope) => runFork(Scope.provide(options.acquire, scope))
    const edges = new PoolEdges<A>(settings, open, fork, deadlines, dialer)
    const state = new PoolState(
      settings,
      edges,
      dialer,
      deadlines,
      outbox,
      events,
      clock,
      yield* Random.next
    )
    edges.state = state
    const pool: Pool<A> = {
      [TypeId]: state,
      name: settings.name,
      pipe() {
        return pipeArguments(this, arguments)
      }
    }
    const source = { stats: () => state.stats(), times: state.times }
    const hideMetrics = Metrics.show(settings.name, source, context)
    const end = (grace: number) => Effect.andThen(drain(pool, grace), Effect.sync(hideMetrics))
    yield* Effect.addFinalizer(() => Effect.andThen(end(CLOSE_GRACE), events.end))
    // The scope may go on for long after, and `make` may be tried again in it.
    if (settings.start === "fail-fast") yield* Effect.onError(warm(pool), () => end(0))
    state.start()
    return pool
  })
}

/**
 * A pool under a tag of the program's own, for as long as the layer is in use. Throws and fails as `make`.
 *
 * ```ts
 * import { Pool } from "@breakwater/core"
 * import { Context, Effect } from "effect"
 *
 * class Workers extends Context.Service<Workers, Pool.Pool<string>>()("app/Workers") {
 *   static readonly layer = Pool.layer(Workers, { name: "workers", acquire: Effect.succeed("ada"), size: { max: 2 } })
 * }
 *
 * const program = Effect.gen(function*() {
 *   return yield* Pool.use(yield* Workers, (worker) => Effect.succeed(`done by ${worker}`))
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(program, Workers.layer))) // => done by ada
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <Self, A, E, R>(
  tag: Context.Key<Self, Pool<A>>,
  options: Options<NoInfer<A>, E, R>
): Layer.Layer<Self, PoolError, Exclude<R, Scope.Scope>> => Layer.effect(tag, make<A, E, R>(options))

/**
 * Borrows a connection for one effect. It comes back when the effect ends, however it ends.
 *
 * Throws a `RangeError` for a `timeout` that is not allowed, and for a `priority` that is no number.
 * Fails as `AcquireTimeout`, `QueueFull`, `Shed`, `Unavailable`, `NestedAcquire` or `Closed` when no connection was
 * lent, and as `Revoked` when it was cut under the effect. Interruption of the caller while it waits leaves the queue at
 * once.
 *
 * @since 0.1.0
 * @category borrowing
 */
export function use<A, B, E, R>(
  f: (item: A) => Effect.Effect<B, E, R>,
  options?: UseOptions
): (self: Pool<A>) => Effect.Effect<B, E | PoolError, R>
export function use<A, B, E, R>(
  self: Pool<A>,
  f: (item: A) => Effect.Effect<B, E, R>,
  options?: UseOptions
): Effect.Effect<B, E | PoolError, R>
// Not `dual`: telling its two forms apart by the arguments as a whole costs a tenth of a borrow.
export function use<A, B, E, R>(
  first: Pool<A> | Work<A, B, E, R>,
  second?: Work<A, B, E, R> | UseOptions,
  third?: UseOptions
) {
  if (typeof first !== "function") return typeof second === "function" ? useOf(first, second, third) : undefined
  const options = typeof second === "function" ? undefined : second
  return (self: Pool<A>) => useOf(self, first, options)
}

const useOf = <A, B, E, R>(
  self: Pool<A>,
  f: Work<A, B, E, R>,
  options: UseOptions | undefined
): Effect.Effect<B, E | PoolError, R> => {
  const state = self[TypeId]
  const timeout = timeoutOf(state, options)
  return state.settings.cancel === undefined
    ? new UseRequest(state, timeout, options, f)
    : new AbandonableRequest(state, timeout, options, f)
}

/**
 * Borrows a connection until the scope closes. For the detection of nested borrows it belongs to the fiber, and to
 * whatever runs with that scope. Errors as for `use`, except that work whose connection is cut fails
 * with the error of its own driver.
 *
 * @since 0.1.0
 * @category borrowing
 */
export const get: {
  (options?: UseOptions): <A>(self: Pool<A>) => Effect.Effect<A, PoolError, Scope.Scope>
  <A>(self: Pool<A>, options?: UseOptions): Effect.Effect<A, PoolError, Scope.Scope>
} = dual(
  (args) => isPool(args[0]),
  <A>(self: Pool<A>, options?: UseOptions): Effect.Effect<A, PoolError, Scope.Scope> => {
    const state = self[TypeId]
    return new GetRequest(state, timeoutOf(state, options), options)
  }
)

/** Checked when the borrow is described: a bad option must not wait for a busy pool to show. */
const timeoutOf = <A>(state: PoolState<A>, options: UseOptions | undefined): number => {
  // It compares with nothing, and whoever came after it would queue behind it, whatever their own priority.
  if (Number.isNaN(options?.priority)) refuse("priority", NaN, "a number")
  return options?.timeout === undefined ? state.settings.waitTimeout : boundedMillis("timeout", options.timeout)
}

/**
 * Runs an effect as if it ran inside no borrow: for work that is left behind, which nobody who holds a connection waits
 * for.
 *
 * @since 0.1.0
 * @category borrowing
 */
export const detached: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = Effect.provideService(
  Held,
  "detached"
)

/**
 * Marks a connection as not to be lent again: an idle one closes now, a borrowed one when it comes back. Without
 * effect on what is not of this pool; on every connection whose item is the same where they cannot be told apart.
 * `reason` appears in events.
 *
 * `"WrongRole"` is for a server that has become, say, a read-only replica: a check would pass, and every connection of
 * the pool leads to it. So all that are open now close as by `clear`, once for each such change however many
 * connections tell of it, and 100 ms later the server is sought anew with one dial.
 *
 * @since 0.1.0
 * @category borrowing
 */
export const invalidate: {
  <A>(item: A, reason?: CloseReason): (self: Pool<A>) => Effect.Effect<void>
  <A>(self: Pool<A>, item: A, reason?: CloseReason): Effect.Effect<void>
} = dual(
  (args) => isPool(args[0]),
  <A>(self: Pool<A>, item: A, reason: CloseReason = "Invalidated"): Effect.Effect<void> =>
    Effect.sync(() => self[TypeId].invalidate(item, reason))
)

/**
 * Makes every connection that is open now unfit to be lent: idle ones close, borrowed ones when they come back, or at
 * once with `interrupt`, and then their work fails as `Revoked`. Dials under way start anew. O(1).
 *
 * @since 0.1.0
 * @category lifecycle
 */
export const clear: {
  (options?: { readonly interrupt?: boolean | undefined }): <A>(self: Pool<A>) => Effect.Effect<void>
  <A>(self: Pool<A>, options?: { readonly interrupt?: boolean | undefined }): Effect.Effect<void>
} = dual(
  (args) => isPool(args[0]),
  <A>(self: Pool<A>, options?: { readonly interrupt?: boolean | undefined }): Effect.Effect<void> =>
    Effect.sync(() => self[TypeId].clear(options?.interrupt ?? false))
)

/**
 * Lends and dials nothing until `resume`: borrows wait, within their deadline, and a server that goes away meanwhile
 * fails none of them. Idle connections close, borrowed ones when they come back. So a server can be restarted at no
 * cost: pause, wait until `stats` shows nothing used or closing, restart, resume. Without effect on a paused pool.
 *
 * @since 0.1.0
 * @category lifecycle
 */
export const pause = <A>(self: Pool<A>): Effect.Effect<void> => Effect.sync(() => self[TypeId].pause())

/**
 * Ends a pause: dials for whoever waits, and for `size.min`, beginning with one at a time. Without effect on a pool
 * that is not paused.
 *
 * @since 0.1.0
 * @category lifecycle
 */
export const resume = <A>(self: Pool<A>): Effect.Effect<void> => Effect.sync(() => self[TypeId].resume())

/**
 * Changes the sizes of a pool in use. Fewer: idle connections close, borrowed ones when they come back, so that no work
 * is lost, and the number falls as fast as they do. More: whoever waits is dialled for in this very turn. `keep` is
 * `max` unless it is given.
 *
 * Throws a `RangeError` for a size that is not allowed.
 *
 * @since 0.1.0
 * @category lifecycle
 */
export const resize: {
  (
    size: { readonly min: number; readonly max: number; readonly keep?: number | undefined }
  ): <A>(self: Pool<A>) => Effect.Effect<void>
  <A>(
    self: Pool<A>,
    size: { readonly min: number; readonly max: number; readonly keep?: number | undefined }
  ): Effect.Effect<void>
} = dual(
  2,
  <A>(
    self: Pool<A>,
    size: { readonly min: number; readonly max: number; readonly keep?: number | undefined }
  ): Effect.Effect<void> => {
    const resolved = resolveSize("", size)
    return Effect.sync(() => self[TypeId].resize(resolved))
  }
)

/**
 * Waits until `size.min` connections, at least one, are open. Fails as `Unavailable` with the first dial that fails,
 * as `AcquireTimeout` after `wait.timeout`, as `Closed` on a pool that is draining.
 *
 * @since 0.1.0
 * @category lifecycle
 */
export const warm = <A>(self: Pool<A>): Effect.Effect<void, PoolError> => awaitWarm(self[TypeId])

/**
 * Ends the pool: borrows that wait or come fail as `Closed`, idle connections close, work under way may finish. At
 * the deadline the rest is cut, fails as `Revoked`, and is listed in the report. The connections' own closes are
 * waited for another five seconds at most. Interrupted, it cuts nothing: the pool goes on draining until another drain,
 * or the end of its scope, ends it.
 *
 * @since 0.1.0
 * @category lifecycle
 */
export const drain: {
  (deadline: Duration.Input): <A>(self: Pool<A>) => Effect.Effect<DrainReport>
  <A>(self: Pool<A>, deadline: Duration.Input): Effect.Effect<DrainReport>
} = dual(
  2,
  <A>(self: Pool<A>, deadline: Duration.Input): Effect.Effect<DrainReport> =>
    awaitDrained(self[TypeId], finiteMillis("deadline", deadline))
)

/**
 * The numbers of this moment. O(1).
 *
 * @since 0.1.0
 * @category observing
 */
export const stats = <A>(self: Pool<A>): Effect.Effect<Stats> => Effect.sync(() => self[TypeId].stats())

/**
 * What else there is to see at this moment: times, who holds the connections, the last failed dial. Costs the same
 * whatever the size of the pool.
 *
 * @since 0.1.0
 * @category observing
 */
export const detail = <A>(self: Pool<A>): Effect.Effect<Detail> => Effect.sync(() => self[TypeId].detail())

/**
 * Shows the numbers of a pool of another make, such as a driver's own, as `make` shows those of ours: under the metrics
 * that OpenTelemetry names for the connections of a client, and `breakwater.pool.*`, until the scope closes.
 *
 * @since 0.1.0
 * @category observing
 */
export const showMetrics = (name: string, source: MetricsSource): Effect.Effect<void, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) =>
    Effect.asVoid(Effect.acquireRelease(
      Effect.sync(() => Metrics.show(name, source, context)),
      (hide) => Effect.sync(hide)
    ))
  )

/**
 * What happens from now on. A listener that lags more than 1,024 events behind loses the oldest; the stream ends with
 * the pool.
 *
 * @since 0.1.0
 * @category observing
 */
export const events = <A>(self: Pool<A>): Stream.Stream<PoolEvent> => self[TypeId].events.stream

/**
 * As `events`, without what happens to single borrows: `Acquired`, `Returned`, `Waited`, and how those end that are not
 * served. Borrows do no work for who listens to it.
 *
 * @since 0.1.0
 * @category observing
 */
export const changes = <A>(self: Pool<A>): Stream.Stream<PoolEvent> => self[TypeId].events.changes
