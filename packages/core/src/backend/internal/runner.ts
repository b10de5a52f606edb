/**
 * A process around a layer: from its start over the signal that ends it to its exit code.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { hardStop, type Limits, losses, namesText, type Report } from "./ending.ts"
import { type Part, Parts, unfinished } from "./parts.ts"

/**
 * A signal that ends the process.
 *
 * @since 0.1.0
 * @category models
 */
export type Signal = "SIGINT" | "SIGTERM"

/**
 * Where signals come from: `process` of Node, Bun and Deno.
 *
 * @since 0.1.0
 * @category models
 */
export interface Signals {
  on(signal: Signal, listener: () => void): unknown
  off(signal: Signal, listener: () => void): unknown
}

/**
 * The process: `process` of Node, Bun and Deno.
 *
 * @since 0.1.0
 * @category models
 */
export interface Process extends Signals {
  exit(code: number): unknown
}

/** What the runner needs of a `Lifecycle`. */
export interface Ended {
  readonly force: Effect.Effect<void>
  readonly report: Effect.Effect<Report>
}

const NUMBERS: Record<Signal, number> = { SIGINT: 2, SIGTERM: 15 }

const FINISHED = 0
const FAILED = 1
/** As `timeout` of the coreutils has it for a command that it had to end. */
const CUT = 124
/** Shells add to it the number of the signal that ended a process. */
const SIGNALLED = 128

/** A report may come this much later than the deadline, in milliseconds: it has a timer of its own. */
const REPORT_GRACE = 500

const listen = (source: Signals) =>
  Effect.gen(function*() {
    const first = yield* Deferred.make<Signal>()
    const second = yield* Deferred.make<Signal>()
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      // One listener for both: on Deno one that the first signal adds hears that signal, too.
      const listener = () => {
        if (!Deferred.doneUnsafe(first, Effect.succeed(signal))) Deferred.doneUnsafe(second, Effect.succeed(signal))
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => source.on(signal, listener)),
        () => Effect.sync(() => source.off(signal, listener))
      )
    }
    return { first, second }
  })

/** What is known of a process at its end. */
interface Outcome {
  readonly failed: boolean
  /** Nothing hangs any more. */
  readonly ended: boolean
  readonly report: Report | undefined
  readonly second: Signal | undefined
}

const codeOf = ({ ended, failed, report, second }: Outcome): number => {
  if (second !== undefined) return SIGNALLED + NUMBERS[second]
  if (failed) return FAILED
  return ended && (report === undefined || losses(report).length === 0) ? FINISHED : CUT
}

const hungText = (names: ReadonlyArray<string>): string =>
  names.length === 0
    ? "A finalizer has not ended; the process ends without it. It would have a name by Lifecycle.named."
    : `The process ends without what has not ended: ${namesText(names)}.`

/** Ends what was built; the layer itself may hang, so that nothing waits for it beyond the deadline. */
const end = Effect.fnUntraced(function*<A>(
  { building, lifecycleOf, parts, scope }: Running<A>,
  limits: Limits,
  second: Deferred.Deferred<Signal>
) {
  const built = building.pollUnsafe()
  const lifecycle = built !== undefined && Exit.isSuccess(built) ? lifecycleOf(built.value) : undefined
  const close = Effect.andThen(Fiber.interrupt(building), Scope.close(scope, Exit.void))
  const closing = yield* Effect.forkDetach(close, { startImmediately: true })
  const hurry = (signal: Signal) => Effect.logWarning(`${signal} again: it ends without waiting`)
  yield* Effect.forkScoped(
    Effect.andThen(Effect.flatMap(Deferred.await(second), hurry), lifecycle?.force ?? Effect.void)
  )
  const exit = yield* Effect.raceFirst(
    Fiber.await(closing),
    Effect.as(hardStop(limits, Deferred.await(second)), undefined)
  )
  const report = lifecycle === undefined ? Option.none() : yield* Effect.timeoutOption(lifecycle.report, REPORT_GRACE)
  const failed = exit !== undefined && Exit.isFailure(exit)
  if (failed) yield* Effect.logError("Its end failed.", exit.cause)
  if (exit === undefined) yield* Effect.logWarning(hungText(unfinished(parts)))
  return { failed, ended: exit !== undefined, report: Option.getOrUndefined(report) }
})

interface Running<A> {
  readonly scope: Scope.Closeable
  readonly parts: ReadonlySet<Part>
  readonly building: Fiber.Fiber<Context.Context<A>, unknown>
  readonly lifecycleOf: (context: Context.Context<A>) => Ended
}

/** Runs the layer until a signal or its failure ends it; the exit code. Whatever hangs, it comes by the deadline. */
export const run = <A, E>(
  layer: Layer.Layer<A, E>,
  lifecycleOf: (context: Context.Context<A>) => Ended,
  source: Signals,
  limits: Limits
): Effect.Effect<number> =>
  Effect.scoped(Effect.gen(function*() {
    const { first, second } = yield* listen(source)
    const scope = yield* Scope.make()
    const parts = new Set<Part>()
    const build = Effect.provideService(Layer.buildWithScope(layer, scope), Parts, parts)
    const building = yield* Effect.forkDetach(build, { startImmediately: true })
    const failure = Effect.flatMap(
      Fiber.await(building),
      (exit) => Exit.isSuccess(exit) ? Effect.never : Effect.logError("It cannot start.", exit.cause)
    )
    const signal = yield* Effect.raceFirst(failure, Deferred.await(first))
    if (signal !== undefined) yield* Effect.logInfo(`${signal}: it ends`)
    const { failed, ...ending } = yield* end({ scope, parts, building, lifecycleOf }, limits, second)
    const forcedBy = yield* Effect.when(Deferred.await(second), Deferred.isDone(second))
    return codeOf({ ...ending, failed: failed || signal === undefined, second: Option.getOrUndefined(forcedBy) })
  }))
