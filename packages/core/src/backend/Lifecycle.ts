/**
 * The phases of a process: starting until its backends are warm and what it needs is prepared, ready, draining from the
 * first word of the end, stopped.
 *
 * The order of an end is that of the layers, from the outside in. `layer` stands inside of what serves requests, which
 * asks it for the phase, and outside of the backends, which end last and each before those that it needs. `runMain` puts
 * the beginning of the end around it all: readiness goes first, whoever balances load looks elsewhere during the grace,
 * and only then nothing new is accepted and what is in flight finishes.
 *
 * One deadline holds for all of it. A margin before it every backend cuts what still runs, so that what waited for a
 * hung statement can still give its answer; at the deadline the process ends, whatever hangs. What was lost is in the
 * log, by backend, label and age, and decides the exit code.
 *
 * ```ts
 * import { Lifecycle } from "@breakwater/core"
 * import { Console, Effect, Layer, Logger } from "effect"
 *
 * const Main = Layer.provideMerge(
 *   Layer.effectDiscard(Effect.addFinalizer(() => Console.log("the server ends"))),
 *   Lifecycle.layer({ prepare: Console.log("tables are there") })
 * )
 *
 * // In earnest: Lifecycle.runMain(Main, process, { grace: "5 seconds", deadline: "25 seconds" })
 * const signals = {
 *   on: (signal: string, end: () => void) => signal === "SIGTERM" && setTimeout(end, 100),
 *   off: () => {}
 * }
 * // => tables are there
 * // => the server ends
 * const main = Lifecycle.run(Main, signals, { grace: "100 millis" })
 * console.log(await Effect.runPromise(Effect.provide(main, Logger.layer([])))) // => 0
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { boundedMillis, duration, finiteMillis, refuse } from "../internal/validate.ts"
import type { PoolError } from "../pool/PoolError.ts"
import * as Backends from "./Backends.ts"
import * as Ending from "./internal/ending.ts"
import * as Parts from "./internal/parts.ts"
import * as Runner from "./internal/runner.ts"
import * as Warming from "./internal/warming.ts"

export type { BackendReport, Report } from "./internal/ending.ts"
export type { Process, Signal, Signals } from "./internal/runner.ts"

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
  /** Time for the whole end, the grace included. Default 10 seconds. */
  readonly deadline?: Duration.Input | undefined
  /**
   * How long before the deadline backends cut what still runs. Default: a fifth of the deadline, at most 2 seconds.
   * Grace and margin together are shorter than the deadline.
   */
  readonly margin?: Duration.Input | undefined
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
  /**
   * Begins the end and waits for the grace, which one that never was ready does not need; `layerDraining` calls it.
   * Again: waits for the same grace.
   */
  readonly drain: (options?: DrainOptions) => Effect.Effect<void>
  /** Ends every wait at once: backends cut what still runs. For a second signal. */
  readonly force: Effect.Effect<void>
  /** How the end went; waits for it. */
  readonly report: Effect.Effect<Ending.Report>
}>()("@breakwater/core/Lifecycle") {}

/**
 * The process was not ready in time. `cold` are the labels of the critical backends that were not warm by then; where
 * there are none, it was being prepared.
 *
 * @since 0.1.0
 * @category errors
 */
export class StartTimeout extends Data.TaggedError("StartTimeout")<{
  readonly within: Duration.Duration
  readonly cold: ReadonlyArray<string>
}> {
  override get message(): string {
    const missing = this.cold.length === 0 ? "it was still being prepared" : `cold: ${this.cold.join(", ")}`
    return `Not ready within ${Duration.format(this.within)}; ${missing}.`
  }
}

/**
 * How a process starts. Every backend is warmed, all at once; for one that is not critical that is tried once, and it
 * holds nobody up for longer than `within`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StartOptions<E = never, R = never> {
  /**
   * `background` (the default): ready when the critical backends are warm and all is prepared, tried every 500 ms until
   * they are. `degraded`: the same, but after `within` without those that are still cold. `fail-fast`: the layer fails
   * when one of them fails to get warm, with what `prepare` fails with, or after `within` as `StartTimeout`.
   */
  readonly start?: "background" | "degraded" | "fail-fast" | undefined
  /** How long backends have to get warm; with `fail-fast` for the preparation, too. Default 10 seconds. */
  readonly within?: Duration.Input | undefined
  /**
   * What must be done between warm backends and the first request, such as creating tables. It may run more than once,
   * and in several replicas at a time. Default: nothing.
   */
  readonly prepare?: Effect.Effect<unknown, E, R> | undefined
}

const ORDER: ReadonlyArray<Phase> = ["starting", "ready", "draining", "stopped"]

const limitsOf = (options: DrainOptions | undefined): Ending.Limits => {
  const grace = finiteMillis("grace", options?.grace ?? "1 second")
  const deadline = boundedMillis("deadline", options?.deadline ?? "10 seconds")
  const margin = boundedMillis("margin", options?.margin ?? Math.min(deadline / 5, 2000))
  if (margin >= deadline) return refuse("margin", margin, `less than the deadline, which is ${deadline} ms`)
  return grace < deadline - margin
    ? { grace, deadline, margin }
    : refuse("grace", grace, `less than the ${deadline - margin} ms before the margin of the deadline`)
}

const time = (millis: number): string => Duration.format(Duration.millis(Math.round(millis)))

const logReport = (report: Ending.Report): Effect.Effect<void> => {
  const lost = Ending.losses(report)
  const line = `stopped${report.forced ? ", forced," : ""} after ${time(Duration.toMillis(report.took))}`
  return lost.length === 0
    ? Effect.logInfo(`${line}; nothing was cut`)
    : Effect.logWarning(`${line}; not everything could finish: ${lost.join("; ")}`)
}

const make = Effect.gen(function*() {
  const phase = yield* SubscriptionRef.make<Phase>("starting")
  const forced = yield* Latch.make()
  const graceOver = yield* Latch.make()
  const outsideEnded = yield* Latch.make()
  const reported = yield* Deferred.make<Ending.Report>()
  const parts = yield* Parts.Parts
  /** What it was before. */
  const enter = (next: Phase) =>
    SubscriptionRef.modify(phase, (now): [Phase, Phase] => [now, ORDER.indexOf(next) > ORDER.indexOf(now) ? next : now])
  const watch = Effect.fnUntraced(function*(limits: Ending.Limits) {
    // Those of now: a backend leaves the registry when its own end begins, and that is what may need an end.
    const now = { entries: yield* Backends.list, parts: [...parts] }
    const report = yield* Ending.watchOver(now, limits, outsideEnded, forced)
    yield* enter("stopped")
    yield* logReport(report)
    yield* Deferred.succeed(reported, report)
  })
  const drain = Effect.fnUntraced(function*(limits: Ending.Limits) {
    const before = yield* enter("draining")
    if (before === "starting" || before === "ready") {
      const grace = before === "ready" ? limits.grace : 0
      yield* Effect.logInfo(`draining: grace ${time(grace)}, deadline ${time(limits.deadline)}`)
      yield* Effect.forkDetach(watch(limits), { startImmediately: true })
      const waited = Effect.raceFirst(Effect.sleep(grace), forced.await)
      yield* Effect.forkDetach(Effect.andThen(waited, graceOver.open), { startImmediately: true })
    }
    yield* graceOver.await
  })
  return {
    enter,
    outsideEnded,
    lifecycle: Lifecycle.of({
      phase: SubscriptionRef.get(phase),
      changes: SubscriptionRef.changes(phase),
      drain: (options) => drain(limitsOf(options)),
      force: Effect.asVoid(forced.open),
      report: Deferred.await(reported)
    })
  }
})

const logReady = (cold: ReadonlyArray<string>): Effect.Effect<void> =>
  cold.length === 0 ? Effect.logInfo("ready") : Effect.logWarning(`ready without ${cold.join(", ")}: not warm in time`)

/** Until all is warm and prepared, or may be gone without. */
const prepared = <E, R>(
  prepare: Effect.Effect<unknown, E, R>,
  start: NonNullable<StartOptions["start"]>,
  within: Duration.Duration,
  warming: Warming.Warming
): Effect.Effect<unknown, PoolError | StartTimeout | E, R> => {
  const once = Effect.andThen(warming.critical, prepare)
  switch (start) {
    case "background":
      return Effect.retry(once, Warming.again)
    case "degraded":
      return Effect.andThen(warming.criticalInTime, Effect.retry(prepare, Warming.again))
    case "fail-fast":
      return Effect.timeoutOrElse(once, {
        duration: within,
        orElse: () => Effect.fail(new StartTimeout({ within, cold: warming.coldOnes(true) }))
      })
  }
}

/**
 * Warms the backends that are registered by then, so it stands outside of theirs and inside of what serves requests;
 * then prepares what the requests need. Throws a `RangeError` for options that are not allowed.
 *
 * Fails, with `start: "fail-fast"` only, as what the first cold backend failed with, as the preparation, or as
 * `StartTimeout`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E = never, R = never>(
  options?: StartOptions<E, R>
): Layer.Layer<Lifecycle, PoolError | StartTimeout | E, Exclude<R, Scope.Scope>> => {
  const { prepare = Effect.void, start = "background" } = options ?? {}
  const within = duration("within", options?.within ?? "10 seconds")
  return Layer.effect(
    Lifecycle,
    Effect.gen(function*() {
      const { enter, lifecycle, outsideEnded } = yield* make
      yield* Effect.addFinalizer(() => outsideEnded.open)
      const warming = new Warming.Warming(yield* Backends.list, within)
      const optional = yield* Effect.forkScoped(warming.optionalInTime)
      const started = prepared(prepare, start, within, warming).pipe(
        Effect.andThen(Fiber.await(optional)),
        Effect.andThen(enter("ready")),
        Effect.flatMap((before) => before === "starting" ? logReady(warming.coldOnes(false)) : Effect.void)
      )
      if (start === "fail-fast") yield* started
      else yield* Effect.forkScoped(started)
      return lifecycle
    })
  )
}

/**
 * Begins the end when it is closed: so it stands outside of what serves requests. For programs with a runner of their
 * own; `run` has it. Throws a `RangeError` for options that are not allowed.
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

/**
 * Gives a layer a name for its end: that of its finalizers, and of those of the layers that it is provided with inside.
 * Where it has begun by the deadline and is not over, the report and the log have the name instead of a finalizer that
 * nobody knows; and where the layer is still being built then, since that cannot be interrupted. Backends have theirs.
 *
 * Names are those of the runner, with `run`; elsewhere of the process, as backends are, and `Backends.isolated` keeps
 * those of a test apart.
 *
 * @since 0.1.0
 * @category running
 */
export const named: {
  (name: string): <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R>
  <A, E, R>(layer: Layer.Layer<A, E, R>, name: string): Layer.Layer<A, E, R>
} = dual(2, Parts.named)

/**
 * Runs a layer until SIGTERM or SIGINT, or until it fails to start; then ends it, and gives the exit code by the
 * deadline, whatever hangs:
 *
 * - 0: everything in flight finished
 * - 1: it could not start, or a finalizer failed
 * - 124: the deadline, or a limit of a backend's own, came before everything had finished; the log says what was cut
 * - 130 or 143: a second signal, SIGINT or SIGTERM, would not wait
 *
 * The second signal ends the grace and has backends cut what runs; the end has the margin left then.
 *
 * `signals` is `process` on Node, Bun and Deno. Throws a `RangeError` for options that are not allowed.
 *
 * @since 0.1.0
 * @category running
 */
export const run = <A, E>(
  main: Layer.Layer<A | Lifecycle, E>,
  signals: Runner.Signals,
  options?: DrainOptions
): Effect.Effect<number> => {
  const whole = Layer.provideMerge(layerDraining(options), main)
  return Runner.run(whole, (context) => Context.get(context, Lifecycle), signals, limitsOf(options))
}

/**
 * `run` as the main program of a process, which exits with its code.
 *
 * @since 0.1.0
 * @category running
 */
export const runMain = <A, E>(
  main: Layer.Layer<A | Lifecycle, E>,
  process: Runner.Process,
  options?: DrainOptions
): void => {
  const start = Runtime.makeRunMain(({ fiber, teardown }) =>
    fiber.addObserver((exit) => teardown(exit, (code) => void process.exit(code)))
  )
  start(run(main, process, options), {
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) && typeof exit.value === "number" ? exit.value : 1)
  })
}
