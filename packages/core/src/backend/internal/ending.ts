/**
 * The end of the backends, watched from aside: it waits for nothing that may hang, and knows at the deadline what did.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"
import type { DrainReport } from "../../pool/Pool.ts"
import type { Holder } from "../../pool/PoolError.ts"
import type { Entry } from "../Backends.ts"
import { type Part, unfinished } from "./parts.ts"

/**
 * What became of one backend.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackendReport {
  readonly label: string
  readonly kind: string
  /** Borrows that were cut, or connections of peers that did not answer the word of the end. */
  readonly cut: ReadonlyArray<Holder>
  /** Connections that would not close. */
  readonly leftOpen: number
  /** Its own drain has not ended either, although it was told to cut. */
  readonly hung: boolean
}

/**
 * How the end of a process went.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  /** From the first word of the end. */
  readonly took: Duration.Duration
  /** Somebody would not wait: a second signal, or `force`. */
  readonly forced: boolean
  /** In the order of their registration. */
  readonly backends: ReadonlyArray<BackendReport>
  /** Something outside of the backends has not ended, such as a server that waits for a client, or a finalizer. */
  readonly hung: boolean
  /** What `named` gave a name, inside or outside of the backends, whose end had begun and was not over. */
  readonly unfinished: ReadonlyArray<string>
}

/** In milliseconds. */
export interface Limits {
  readonly grace: number
  readonly deadline: number
  /** Between the cut and the deadline. */
  readonly margin: number
}

/** The deadline of an end, which a second word of it brings near. */
export const hardStop = ({ deadline, margin }: Limits, forced: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.raceFirst(Effect.sleep(deadline), Effect.andThen(forced, Effect.sleep(margin)))

class Watched {
  readonly entry: Entry
  drained: DrainReport | undefined

  constructor(entry: Entry) {
    this.entry = entry
  }

  /** Cuts what still runs. Of one that has ended it asks what became of it. */
  readonly cut: Effect.Effect<void> = Effect.suspend(() =>
    Effect.map(this.entry.backend.drain(0), (report) => {
      this.drained = report
    })
  )

  /** The events of a backend end with it. */
  readonly ended: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(Stream.runDrain(this.entry.backend.events), this.cut)
  )

  get report(): BackendReport {
    const { backend: { kind }, label } = this.entry
    const { cut = [], leftOpen = 0 } = this.drained ?? {}
    return { label, kind, cut, leftOpen, hung: this.drained === undefined }
  }
}

const all = (effects: ReadonlyArray<Effect.Effect<void>>): Effect.Effect<void> =>
  Effect.all(effects, { concurrency: "unbounded", discard: true })

/** Begins on its own, and opens the latch when it is done: who waits for the latch can stop waiting. */
const aside = (work: Effect.Effect<void>): Effect.Effect<Latch.Latch> =>
  Effect.tap(Latch.make(), (done) => Effect.forkDetach(Effect.andThen(work, done.open), { startImmediately: true }))

/** Waits for the end of `others` and of what there is now; cuts when it is time to, and gives up at the deadline. */
export const watchOver = Effect.fnUntraced(function*(
  { entries, parts }: { readonly entries: ReadonlyArray<Entry>; readonly parts: ReadonlyArray<Part> },
  limits: Limits,
  others: Latch.Latch,
  forced: Latch.Latch
) {
  const clock = yield* Clock.Clock
  const since = clock.monotonicTimeNanosUnsafe()
  const stop = yield* aside(hardStop(limits, forced.await))
  const backends = entries.map((entry) => new Watched(entry))
  const seen = { forced: false, others: false }
  const see = (what: keyof typeof seen, latch: Latch.Latch) =>
    Effect.andThen(latch.await, Effect.sync(() => void (seen[what] = true)))
  yield* aside(see("forced", forced))
  const finished = yield* aside(all([
    see("others", others),
    ...backends.map(({ ended }) => ended),
    ...parts.map(({ ended }) => ended.await)
  ]))
  const impatient = Effect.raceFirst(Effect.sleep(limits.deadline - limits.margin), forced.await)
  const inTime = yield* Effect.raceFirst(Effect.as(finished.await, true), Effect.as(impatient, false))
  if (!inTime) {
    yield* aside(all(backends.map(({ cut }) => cut)))
    yield* Effect.raceFirst(finished.await, stop.await)
  }
  const report: Report = {
    took: Duration.nanos(clock.monotonicTimeNanosUnsafe() - since),
    forced: seen.forced,
    backends: backends.map((backend) => backend.report),
    hung: !seen.others,
    unfinished: unfinished(parts)
  }
  return report
})

const holderText = ({ age, label = "a borrow without a label", site }: Holder): string =>
  `${label} (${Duration.format(Duration.millis(Math.round(Duration.toMillis(age))))}${
    site === undefined ? "" : ` at ${site}`
  })`

const NAMED = 5

const backendText = ({ cut, hung, kind, label, leftOpen }: BackendReport): ReadonlyArray<string> => {
  const named = cut.slice(0, NAMED).map(holderText)
  if (cut.length > NAMED) named.push(`${cut.length - NAMED} more`)
  const parts = [
    ...(cut.length === 0 ? [] : [`cut ${named.join(", ")}`]),
    ...(leftOpen === 0 ? [] : [`${leftOpen} connections would not close`]),
    ...(hung ? ["hung"] : [])
  ]
  return parts.length === 0 ? [] : [`${kind} "${label}": ${parts.join("; ")}`]
}

/** `"server", "feed pump"` */
export const namesText = (names: ReadonlyArray<string>): string => names.map((name) => `"${name}"`).join(", ")

const unfinishedText = ({ hung, unfinished: names }: Report): ReadonlyArray<string> => {
  if (names.length === 0) return hung ? ["what stands outside of the backends has not ended"] : []
  return [`${hung ? "what stands outside of the backends has not ended" : "not ended"}: ${namesText(names)}`]
}

/** What was lost, a line each; nothing where nothing was. */
export const losses = (report: Report): ReadonlyArray<string> => [
  ...report.backends.flatMap(backendText),
  ...unfinishedText(report)
]
