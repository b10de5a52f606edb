/**
 * The phases of a process: starting until its backends are warm and what it needs is prepared, ready, draining from the
 * first word of the end, stopped.
 *
 * The order of an end is that of the layers, from the outside in. `layer` stands inside of what serves requests, which
 * asks it for the phase; `layerDraining` stands outside of it, so that readiness goes first, whoever balances load looks
 * elsewhere during the grace, and only then nothing new is accepted. Backends stand innermost and end last. One
 * deadline holds for all of it: when it comes, every backend cuts what still runs, so that no hung statement holds the
 * end up.
 *
 * It leaves signals to the runtime (`NodeRuntime.runMain`), and the last word, the end of the process whatever hangs, to
 * the program.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { boundedMillis, finiteMillis, refuse } from "../internal/validate.ts"
import type { PoolError } from "../pool/PoolError.ts"
import * as Backends from "./Backends.ts"

/**
 * A phase of a process. It only ever goes on to a later one.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase = "starting" | "ready" | "draining" | "stopped"

/**
 * How a process ends.
 *
 * @since 0.1.0
 * @category models
 */
export interface DrainOptions {
  /** Time between readiness going off and anything else, for load balancers. Default 1 second. */
  readonly grace?: Duration.Input | undefined
  /** Time for the whole end, the grace included; then backends cut what still runs. Default 10 seconds. */
  readonly deadline?: Duration.Input | undefined
}

/**
 * The phase of this process, and its end.
 *
 * @since 0.1.0
 * @category services
 */
export class Lifecycle extends Context.Service<Lifecycle, {
  readonly phase: Effect.Effect<Phase>
  /** The phase now, and every one that comes. */
  readonly changes: Stream.Stream<Phase>
  /** Begins the end and waits for the grace; `layerDraining` calls it. Again: waits only for the same grace. */
  readonly drain: (options?: DrainOptions) => Effect.Effect<void>
  /** Ends every wait at once: backends cut what still runs. For a second signal. */
  readonly force: Effect.Effect<void>
}>()("@breakwater/core/Lifecycle") {}

/**
 * How a process starts.
 *
 * @since 0.1.0
 * @category models
 */
export interface StartOptions<E = never, R = never> {
  /**
   * `background` (the default): ready when the critical backends are warm and all is prepared, tried every 500 ms until
   * they are. `fail-fast`: the layer fails when one of them fails to get warm, or with what `prepare` fails with.
   */
  readonly start?: "background" | "fail-fast" | undefined
  /**
   * What must be done between warm backends and the first request, such as creating tables. It may run more than once,
   * and in several replicas at a time. Default: nothing.
   */
  readonly prepare?: Effect.Effect<unknown, E, R> | undefined
}

const ORDER: ReadonlyArray<Phase> = ["starting", "ready", "draining", "stopped"]

const RETRY_EVERY = "500 millis"

const warmCritical: Effect.Effect<void, PoolError> = Effect.flatMap(
  Backends.list,
  (entries) =>
    Effect.forEach(entries.filter(({ backend }) => backend.critical), ({ backend }) => backend.warm, {
      concurrency: "unbounded",
      discard: true
    })
)

const cut = (entries: ReadonlyArray<Backends.Entry>): Effect.Effect<void> =>
  Effect.forEach(entries, ({ backend }) => backend.drain(0), { concurrency: "unbounded", discard: true })

/** The events of a backend end with it. */
const ended = (entries: ReadonlyArray<Backends.Entry>): Effect.Effect<void> =>
  Effect.forEach(entries, ({ backend }) => Stream.runDrain(backend.events), {
    concurrency: "unbounded",
    discard: true
  })

interface Limits {
  readonly grace: number
  readonly deadline: number
}

const limitsOf = (options: DrainOptions | undefined): Limits => {
  const grace = finiteMillis("grace", options?.grace ?? "1 second")
  const deadline = boundedMillis("deadline", options?.deadline ?? "10 seconds")
  return grace < deadline
    ? { grace, deadline }
    : refuse("grace", grace, `less than the deadline, which is ${deadline} ms`)
}

const make = Effect.gen(function*() {
  const phase = yield* SubscriptionRef.make<Phase>("starting")
  const forced = yield* Latch.make()
  const enter = (next: Phase) =>
    SubscriptionRef.update(phase, (now) => ORDER.indexOf(next) > ORDER.indexOf(now) ? next : now)
  const watchOver = Effect.fnUntraced(function*(deadline: number) {
    // Those of now: a backend leaves the registry when its own end begins, and that is what may need an end.
    const entries = yield* Backends.list
    const waited = Effect.raceFirst(Effect.sleep(deadline), forced.await)
    yield* Effect.raceFirst(Effect.andThen(waited, cut(entries)), ended(entries))
    yield* enter("stopped")
  })
  const drain = Effect.fnUntraced(function*({ deadline, grace }: Limits) {
    const before = yield* SubscriptionRef.get(phase)
    if (before === "starting" || before === "ready") {
      yield* enter("draining")
      yield* Effect.forkDetach(watchOver(deadline), { startImmediately: true })
    }
    yield* Effect.raceFirst(Effect.sleep(grace), forced.await)
  })
  return {
    enter,
    lifecycle: Lifecycle.of({
      phase: SubscriptionRef.get(phase),
      changes: SubscriptionRef.changes(phase),
      drain: (options) => drain(limitsOf(options)),
      force: Effect.asVoid(forced.open)
    })
  }
})

/**
 * Warms the backends that are registered by then, so it stands outside of theirs and inside of what serves requests;
 * then prepares what the requests need.
 *
 * Fails, with `start: "fail-fast"` only, as what the first cold backend failed with, or the preparation.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E = never, R = never>(
  options?: StartOptions<E, R>
): Layer.Layer<Lifecycle, PoolError | E, Exclude<R, Scope.Scope>> =>
  Layer.effect(
    Lifecycle,
    Effect.gen(function*() {
      const { enter, lifecycle } = yield* make
      const prepared: Effect.Effect<unknown, PoolError | E, R> = options?.prepare === undefined
        ? warmCritical
        : Effect.andThen(warmCritical, options.prepare)
      const started = Effect.andThen(prepared, enter("ready"))
      if (options?.start === "fail-fast") yield* started
      else yield* Effect.forkScoped(Effect.ignore(Effect.retry(started, Schedule.spaced(RETRY_EVERY))))
      return lifecycle
    })
  )

/**
 * Begins the end when it is closed: so it stands outside of what serves requests. Throws a `RangeError` for options that
 * are not allowed.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDraining = (options?: DrainOptions): Layer.Layer<never, never, Lifecycle> => {
  limitsOf(options)
  return Layer.effectDiscard(
    Effect.flatMap(Lifecycle, (lifecycle) => Effect.addFinalizer(() => lifecycle.drain(options)))
  )
}
