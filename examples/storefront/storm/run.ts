/** One storm from its first request to its verdict. */
import { Clock, Duration, Effect, Fiber, Schedule, Schema, Stream } from "effect"
import * as Child from "./Child.ts"
import * as Ledger from "./Ledger.ts"
import * as Report from "./Report.ts"
import { Batch } from "./Sample.ts"
import type { Scene } from "./Scene.ts"
import * as Screen from "./Screen.ts"
import { type Fault, type FaultName, FULL_LENGTH, leftOut, type Stage, stages } from "./Stages.ts"
import type { Tally } from "./Tally.ts"
import { Watch } from "./Watch.ts"

/** Longer than what fails the run, so that the report can say how long it was. */
const RECOVERY_PATIENCE = "15 seconds"
/** What a load balancer takes from seeing that an instance is not ready to sending it nothing more. */
const BALANCER_LAG = "300 millis"
const EXIT_PATIENCE = "15 seconds"

/** Requests at a fixed rate from a process of its own, seen by `watch`. */
export const load = Effect.fnUntraced(function*(scene: Scene, watch: Watch, rate: number) {
  const client = yield* Child.start("client.ts", { args: [scene.url, String(rate)], patience: "1 second" })
  const seen = yield* client.lines.pipe(
    Stream.mapEffect((line) => Schema.decodeUnknownEffect(Batch)(line)),
    Stream.runForEach((batch) => Effect.sync(() => batch.forEach((sample) => watch.see(sample)))),
    Effect.forkScoped
  )
  return { stop: Effect.andThen(client.endInput, Fiber.join(seen)) }
})

/** A line a second, until interrupted. */
export const show = Effect.fnUntraced(function*(scene: Scene, watch: Watch, what: () => string) {
  const began = yield* Clock.currentTimeMillis
  for (let at = 1;; at++) {
    yield* sleepUntil(began + at * 1000)
    const tally = watch.nextSecond()
    console.log(Screen.second(at, what(), tally, yield* scene.pools))
  }
})

const sleepUntil = Effect.fnUntraced(function*(instant: number) {
  yield* Effect.sleep(Math.max(0, instant - (yield* Clock.currentTimeMillis)))
})

/** What a stage was like. */
interface Row {
  readonly label: string
  readonly tally: Tally
  readonly fault: Fault | undefined
  readonly recovered: number | null
}

export interface Outcome {
  readonly report: Report.Report
  readonly rows: ReadonlyArray<Row>
  readonly exitCode: number
  readonly leftOut: ReadonlyArray<FaultName>
}

export const run = Effect.fnUntraced(
  function*(scene: Scene, options: { readonly seconds: number; readonly rate: number }) {
    const scale = options.seconds / FULL_LENGTH
    const watch = new Watch()
    let what = ""
    yield* Ledger.fill(scene.server.url)
    const client = yield* load(scene, watch, options.rate)
    const began = yield* Clock.currentTimeMillis
    const screen = yield* Effect.forkScoped(show(scene, watch, () => what))

    const breakIt = Effect.fnUntraced(function*({ run: strike, seconds, what: breaking }: Fault) {
      what = breaking
      yield* strike(Duration.seconds(seconds * scale))
      what = "recovering"
      const recovered = yield* watch.recovered(yield* Clock.currentTimeMillis).pipe(
        Effect.timeoutOrElse({ duration: RECOVERY_PATIENCE, orElse: () => Effect.succeed(null) })
      )
      what = recovered === null ? "not recovered" : `recovered in ${recovered} ms`
      return recovered
    })

    const rows: Array<Row> = []
    const play = Effect.fnUntraced(function*({ fault, label, seconds }: Stage) {
      what = label
      const tally = watch.nextStage()
      const until = (yield* Clock.currentTimeMillis) + seconds * scale * 1000
      const recovered = fault === undefined ? null : yield* breakIt(fault)
      yield* sleepUntil(until)
      rows.push({ label, tally, fault, recovered })
    })

    const end = Effect.fnUntraced(function*() {
      const { storefront } = scene
      what = "SIGTERM under load"
      const tally = watch.nextStage()
      watch.drainingSince = yield* Clock.currentTimeMillis
      yield* Effect.forkScoped(storefront.kill({ killSignal: "SIGTERM", forceKillAfter: EXIT_PATIENCE }))
      yield* scene.isReady.pipe(
        Effect.repeat({ while: (ready) => ready, schedule: Schedule.spaced("50 millis") }),
        Effect.timeoutOption(EXIT_PATIENCE)
      )
      yield* Effect.sleep(BALANCER_LAG)
      yield* client.stop
      // Ended by a signal, it has none.
      const exitCode = yield* Effect.orElseSucceed(storefront.exitCode, () => -1)
      rows.push({ label: "SIGTERM under load", tally, fault: undefined, recovered: null })
      return exitCode
    })

    yield* Effect.forEach(stages(scene), play, { discard: true })
    const pools = yield* scene.pools
    const exitCode = yield* end()
    const ended = yield* Clock.currentTimeMillis
    yield* Fiber.interrupt(screen)
    const report = Report.make({
      seconds: (ended - began) / 1000,
      total: watch.total,
      socketsLeft: yield* socketsLeft(scene),
      orders: yield* Ledger.compare(scene.server.url, watch.acknowledged),
      connectionsOpened: Object.fromEntries(Object.entries(pools).map(([name, { opened }]) => [name, opened])),
      recoveredWithinMs: Object.fromEntries(
        rows.flatMap(({ fault, recovered }) => fault === undefined ? [] : [[fault.name, recovered]])
      )
    })
    const outcome: Outcome = { report, rows, exitCode, leftOut: leftOut(scene) }
    return outcome
  }
)

/** Counted by the server and by the proxy in front of it, which both may take a moment to see the end. */
const socketsLeft = ({ proxy, server }: Scene) =>
  Effect.zipWith(server.connections(), proxy.stats, (sessions, { open }) => Math.max(sessions, open)).pipe(
    Effect.repeat({ while: (left) => left > 0, times: 30, schedule: Schedule.spaced("100 millis") })
  )
