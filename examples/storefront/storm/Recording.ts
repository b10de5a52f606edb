/**
 * What `/metrics` showed in each fault, of the series that alert rules read: samples taken before the fault, shortly
 * before its end, and once all is well again.
 */
import { Alerts } from "@breakwater/ops"
import { Clock, Duration, Effect } from "effect"
import type { Scene } from "./Scene.ts"

export interface Stage {
  /** The fault's. */
  readonly name: string
  /** Seconds from the first sample, for each of the samples. */
  readonly at: ReadonlyArray<number>
  /** One value for each of the series, between spaces; `_` where it was not shown. */
  readonly samples: ReadonlyArray<string>
}

export interface Recorded {
  /** When and how. */
  readonly taken: string
  /** As Prometheus's text format has them. */
  readonly series: ReadonlyArray<string>
  readonly stages: ReadonlyArray<Stage>
}

const BEFORE_THE_END = Duration.millis(100)

/** Labels are among them, and no series is called so. */
const read = new Set(Alerts.make().flatMap(({ expr }) => expr.match(/\w+/g) ?? []))

type Values = ReadonlyMap<string, string>

const parse = (text: string): Values =>
  new Map(
    text.split("\n").flatMap((line) => {
      const [, series = "", name = "", value = ""] = /^((\w+)\{.*\}) (\S+)$/.exec(line) ?? []
      return read.has(name) ? [[series, value] as const] : []
    })
  )

interface Sample {
  readonly at: number
  readonly values: Values
}

type Scrape = Scene["metrics"]
type Unanswered = Effect.Error<Scrape>

export class Recording {
  private readonly stages: Array<{ readonly name: string; readonly samples: ReadonlyArray<Sample> }> = []
  private readonly sample: Effect.Effect<Sample, Unanswered>

  constructor(scrape: Scrape) {
    this.sample = Effect.all({ at: Clock.currentTimeMillis, values: Effect.map(scrape, parse) })
  }

  /** Takes the samples of a stage whose fault lasts so long. */
  during<A, E, R>(
    name: string,
    lasts: Duration.Duration,
    stage: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | Unanswered, R> {
    return Effect.gen({ self: this }, function*() {
      const first = yield* this.sample
      const atTheEnd = Effect.delay(this.sample, Duration.subtract(lasts, BEFORE_THE_END))
      const [result, second] = yield* Effect.all([stage, atTheEnd], { concurrency: "unbounded" })
      this.stages.push({ name, samples: [first, second, yield* this.sample] })
      return result
    })
  }

  recorded(taken: string): Recorded {
    const all = this.stages.flatMap(({ samples }) => samples.flatMap(({ values }) => [...values.keys()]))
    const series = [...new Set(all)].toSorted()
    return {
      taken,
      series,
      stages: this.stages.map(({ name, samples }) => ({
        name,
        at: samples.map(({ at }) => (at - (samples[0]?.at ?? at)) / 1000),
        samples: samples.map(({ values }) => series.map((one) => values.get(one) ?? "_").join(" "))
      }))
    }
  }
}
