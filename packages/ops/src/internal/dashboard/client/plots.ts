/** The plots of a backend: what each shows, and its scale. */
import { count, duration, durationOrNone, rate } from "./format.ts"
import { area, ceiling, line, type Point } from "./plot.ts"
import { failedIn, type Sample } from "./sample.ts"

export interface PlotView {
  readonly title: string
  /** The values now, of the two lines. */
  readonly high: string
  readonly low: string
  readonly scale: string
  readonly label: string
  /** How it is coloured. */
  readonly kind: "connections" | "rate" | "time"
  readonly shapes: { readonly area: string; readonly high: string; readonly low: string }
}

export const WIDTH = 300
export const HEIGHT = 44

interface Series {
  readonly title: string
  readonly kind: PlotView["kind"]
  readonly high: (sample: Sample) => number | null
  readonly low: (sample: Sample) => number | null
  /** The scale never ends below it, so that what is small looks small. */
  readonly least: number
  readonly format: (value: number) => string
  readonly now: { readonly high: (last: Sample) => string; readonly low: (last: Sample) => string }
}

const timing = (title: string, p50: Series["low"], p95: Series["high"]): Series => ({
  title,
  kind: "time",
  high: p95,
  low: p50,
  least: 10,
  format: duration,
  now: { high: (last) => `${durationOrNone(p95(last))} p95`, low: (last) => `${durationOrNone(p50(last))} p50` }
})

const timeInUse = timing("Time in use", ({ useP50 }) => useP50, ({ useP95 }) => useP95)

const latency = timing("Latency", ({ operationP50 }) => operationP50, ({ operationP95 }) => operationP95)

const series: ReadonlyArray<Series> = [
  {
    title: "Connections",
    kind: "connections",
    high: ({ used }) => used,
    low: ({ waiting }) => waiting,
    least: 5,
    format: count,
    now: { high: ({ used }) => `${count(used)} in use`, low: ({ waiting }) => `${count(waiting)} waiting` }
  },
  {
    title: "Borrows",
    kind: "rate",
    high: (sample) => sample.rate,
    low: ({ since }) => failedIn(since),
    least: 10,
    format: (value) => `${count(value)} /s`,
    now: { high: (last) => `${rate(last.rate)} /s`, low: (last) => `${count(failedIn(last.since))} failed` }
  },
  timing("Wait", ({ waitP50 }) => waitP50, ({ waitP95 }) => waitP95),
  timeInUse,
  latency
]

const measures = (samples: ReadonlyArray<Sample>, value: Series["high"]): boolean =>
  samples.some((sample) => value(sample) !== null)

const plotOf = (
  { format, high, kind, least, low, now, title }: Series,
  samples: ReadonlyArray<Sample>,
  { span, to }: { readonly to: number; readonly span: number }
): PlotView => {
  const points = (value: (sample: Sample) => number | null): ReadonlyArray<Point> =>
    samples.map((sample) => ({ at: sample.at, value: value(sample) }))
  const [highs, lows] = [points(high), points(low)]
  const highest = Math.max(0, ...[...highs, ...lows].map(({ value }) => value ?? 0))
  const top = ceiling(highest, least)
  // A line along an edge would be cut in half.
  const box = { width: WIDTH, height: HEIGHT - 1, from: to - span, to, top: top * 1.04 }
  const last = samples.at(-1)
  const texts = last === undefined ? { high: "", low: "" } : { high: now.high(last), low: now.low(last) }
  return {
    title,
    ...texts,
    scale: `to ${format(top).replace(".0 ", " ")}`,
    label: `${title}: now ${texts.high} and ${texts.low}; at most ${format(highest)} in the last ${duration(span)}`,
    kind,
    shapes: { area: area(highs, box), high: line(highs, box), low: line(lows, box) }
  }
}

/**
 * Those of what the backend measures; connections and borrows are counted by all. How long connections are held says
 * the same as the latency and less, where that is measured.
 */
export const plotsOf = (
  samples: ReadonlyArray<Sample>,
  times: { readonly to: number; readonly span: number }
): ReadonlyArray<PlotView> => {
  const measured = series.filter(({ high, kind }) => kind !== "time" || measures(samples, high))
  const shown = measured.includes(latency) ? measured.filter((one) => one !== timeInUse) : measured
  return shown.map((one) => plotOf(one, samples, times))
}
