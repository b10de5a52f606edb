/** The geometry of plots: numbers in, the `d` of a path out. */
import type { Tone } from "./sample.ts"

export interface Point {
  readonly at: number
  readonly value: number | null
}

export interface Box {
  readonly width: number
  readonly height: number
  /** The times at the left and the right edge. */
  readonly from: number
  readonly to: number
  /** The value at the top edge; 0 is at the bottom. */
  readonly top: number
}

/** Without a word for longer than this, in milliseconds, a line is broken. */
const GAP = 5_000

/** The next of 1, 2 and 5 times a power of ten: a scale that rests while its values dance. */
export const ceiling = (value: number, least: number): number => {
  if (!(value > least)) return least
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999_999) ?? value
}

/** Lines without holes. */
const pieces = (points: ReadonlyArray<Point>): ReadonlyArray<ReadonlyArray<{ at: number; value: number }>> => {
  const found: Array<Array<{ at: number; value: number }>> = []
  let last: number | undefined
  for (const { at, value } of points) {
    if (value === null) {
      last = undefined
      continue
    }
    if (last === undefined || at - last > GAP) found.push([])
    found.at(-1)?.push({ at, value })
    last = at
  }
  return found
}

const round = (value: number) => Math.round(value * 10) / 10

const place = ({ from, height, to, top, width }: Box, at: number, value: number) =>
  `${round(((at - from) / (to - from)) * width)} ${round(height - (Math.min(value, top) / top) * height)}`

/** A lone point is drawn as a line of nearly no length, which has round ends. */
export const line = (points: ReadonlyArray<Point>, box: Box): string =>
  pieces(points).map((piece) =>
    `M${piece.map(({ at, value }) => place(box, at, value)).join("L")}${piece.length === 1 ? "h.1" : ""}`
  ).join("")

export const area = (points: ReadonlyArray<Point>, box: Box): string =>
  pieces(points).flatMap((piece) => {
    const [first, last] = [piece[0], piece.at(-1)]
    if (first === undefined || last === undefined || piece.length === 1) return []
    const inner = piece.map(({ at, value }) => place(box, at, value)).join("L")
    return [`M${place(box, first.at, 0)}L${inner}L${place(box, last.at, 0)}Z`]
  }).join("")

export interface Run {
  readonly tone: Tone
  readonly from: number
  readonly to: number
}

/** Times of one tone, one after the other, with holes where nothing was heard. */
export const runs = (samples: ReadonlyArray<{ readonly at: number; readonly tone: Tone }>): ReadonlyArray<Run> => {
  const found: Array<Run> = []
  for (const { at, tone } of samples) {
    const last = found.at(-1)
    const from = last !== undefined && at - last.to <= GAP ? last.to : at - 1000
    if (last !== undefined && last.tone === tone && from === last.to) found[found.length - 1] = { ...last, to: at }
    else found.push({ tone, from, to: at })
  }
  return found
}
