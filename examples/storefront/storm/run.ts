/** One storm from its first request to its report. */
import { Clock, Duration, Effect, Fiber, Schedule } from "effect"
import type { Fault } from "./Faults.ts"
import * as Ledger from "./Ledger.ts"
import * as Load from "./load.ts"
import type { Pictures } from "./Pictures.ts"
import type { Recording } from "./Recording.ts"
import * as Report from "./Report.ts"
import type { Scene } from "./Scene.ts"
import { FULL_LENGTH, leftOut, type Stage, stages, STEADY } from "./Stages.ts"
import { Watch } from "./Watch.ts"

/** Longer than what fails the run, so that the report can say how long it was. */
const RECOVERY_PATIENCE = "15 seconds"
/** What a load balancer takes from seeing that an instance is not ready to sending it nothing more. */
const BALANCER_LAG = "300 millis"
/** One of many: the others sell on. */
const HANGING_PRODUCT = 1
/** Before the signal, so that it finds some in flight. */
const HANGING_FOR = "500 millis"
const EXIT_PATIENCE = "15 seconds"

export interface Outcome {
  readonly report: Report.Report
  readonly rows: ReadonlyArray<Report.Row>
  readonly exitCode: number
}

/** Breaks something, mends it, and waits for the storefront to be well again. */
const strike = Effect.fnUntraced(function*(
  watch: Watch,
  fault: Fault,
  lasts: Duration.Duration
) {
  watch.what = fault.what
  yield* fault.run(lasts)
  watch.what = "recovering"
  const recovered = yield* fault.recovered(watch, yield* Clock.currentTimeMillis).pipe(
    Effect.timeoutOrElse({ duration: RECOVERY_PATIENCE, orElse: () => Effect.succeed(null) })
  )
  watch.what = recovered === null ? "not recovered" : `recovered in ${recovered} ms`
  return recovered
}, Effect.scoped)

const play = Effect.fnUntraced(function*(
  watch: Watch,
  { fault, label, seconds }: Stage,
  scale: number,
  { pictures, recording }: { readonly pictures: Pictures | undefined; readonly recording: Recording | undefined }
) {
  watch.what = label
  const tally = watch.nextStage()
  const until = (yield* Clock.currentTimeMillis) + seconds * scale * 1000
  let recovered: Report.Row["recovered"]
  if (fault !== undefined) {
    const lasts = Duration.seconds(fault.lasts * scale)
    // What the page tells may come after the end of the fault.
    if (pictures !== undefined) yield* Effect.forkScoped(pictures.during(fault.fault, lasts))
    const struck = strike(watch, fault.fault, lasts)
    recovered = yield* recording?.during(fault.fault.name, lasts, struck) ?? struck
  } else if (label === STEADY) {
    yield* recording?.during(label, Duration.seconds(seconds * scale), Load.sleepUntil(until)) ?? Effect.void
  }
  yield* Load.sleepUntil(until)
  const row: Report.Row = { label, tally, recovered }
  return row
})

/**
 * SIGTERM under load, with statements that hang. As a load balancer would, the client goes on until some time after
 * readiness is gone.
 */
const terminate = Effect.fnUntraced(function*<E>(scene: Scene, watch: Watch, stopClient: Effect.Effect<void, E>) {
  watch.what = "SIGTERM, statements hang"
  const row: Report.Row = { label: watch.what, tally: watch.nextStage(), recovered: undefined }
  const hanging = yield* Effect.forkScoped(Ledger.hangOrdersOf(HANGING_PRODUCT, scene.postgres.server.url))
  yield* Effect.sleep(HANGING_FOR)
  watch.drainingSince = yield* Clock.currentTimeMillis
  yield* scene.terminate
  yield* scene.isReady.pipe(
    Effect.repeat({ while: (ready) => ready, schedule: Schedule.spaced("50 millis") }),
    Effect.timeoutOption(EXIT_PATIENCE)
  )
  yield* Effect.sleep(BALANCER_LAG)
  yield* stopClient
  // Killed, or still running, it has none.
  const exitCode: number = yield* Effect.orElseSucceed(Effect.timeout(scene.exitCode, EXIT_PATIENCE), () => -1)
  yield* Fiber.interrupt(hanging)
  return { row, exitCode }
})

/** Whoever counts them may take a moment to see the end. */
const socketsLeft = (scene: Scene) =>
  Effect.repeat(scene.socketsOpen, { while: (left) => left > 0, times: 30, schedule: Schedule.spaced("100 millis") })

/** Only who wants some needs what takes them. */
const picturesIn = (scene: Scene, folder: string) =>
  Effect.flatMap(Effect.promise(() => import("./Pictures.ts")), ({ make }) => make(scene.url, folder))

export const run = Effect.fnUntraced(
  function*(scene: Scene, options: {
    readonly seconds: number
    readonly rate: number
    /** Where the dashboard's pictures are to go. */
    readonly pictures?: string | undefined
    readonly recording?: Recording | undefined
  }) {
    const scale = options.seconds / FULL_LENGTH
    const watch = new Watch({ remembers: true })
    yield* Ledger.fill(scene.postgres.server.url)
    const client = yield* Load.start(scene, watch, options.rate)
    const began = yield* Clock.currentTimeMillis
    const screen = yield* Effect.forkScoped(Load.show(scene, watch))

    const pictures = options.pictures === undefined ? undefined : yield* picturesIn(scene, options.pictures)
    const course = stages(scene)
    const rows = yield* Effect.forEach(
      course,
      (stage) => play(watch, stage, scale, { pictures, recording: options.recording })
    )
    const recovered = course.flatMap(({ fault }, index) =>
      fault === undefined ? [] : [[fault.fault.name, rows[index]?.recovered ?? null] as const]
    )
    const backends = Object.entries(yield* scene.stats)
    const { exitCode, row } = yield* terminate(scene, watch, client.stop)
    const ended = yield* Clock.currentTimeMillis
    yield* Fiber.interrupt(screen)

    const all = [...rows, row]
    const report = Report.make({
      seconds: (ended - began) / 1000,
      total: watch.total,
      socketsLeft: yield* socketsLeft(scene),
      orders: yield* Ledger.compare(scene.postgres.server.url, watch.acknowledged, scene.payments.isAuthorized),
      connectionsOpened: Object.fromEntries(backends.map(([name, { pool }]) => [name, pool.opened])),
      breakerOpened: Object.fromEntries(backends.map(([name, { policy }]) => [name, policy.circuitOpened])),
      recoveredWithinMs: Object.fromEntries(recovered),
      leftOut: leftOut(scene),
      mongodb: scene.mongo.server.responder ? "responder" : "server",
      rows: all
    })
    const outcome: Outcome = { report, rows: all, exitCode }
    return outcome
  }
)
