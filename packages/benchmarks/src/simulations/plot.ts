/**
 * Draws lines over time as SVG, by hand: a few kilobytes, the same for the same figures, and readable on a light and on a
 * dark page.
 */
import type { Line, Plot } from "./scenario.ts"

const WIDTH = 720
const HEIGHT = 300
const LEFT = 64
const RIGHT = 16
const TOP = 56
const BOTTOM = 44
const TICKS = 5

// Of one lightness, told apart by people who do not see red and green as well, and by the pattern of the dashes.
const colours = ["#2f81f7", "#d4762c", "#8a63d2", "#3f9c6b"]
const dashes = ["", "6 4", "2 3", "9 3 2 3"]

interface Scale {
  readonly of: (value: number) => number
  readonly ticks: ReadonlyArray<number>
}

const span = (values: ReadonlyArray<number>): readonly [number, number] => {
  let least = Infinity
  let most = -Infinity
  for (const value of values) {
    least = Math.min(least, value)
    most = Math.max(most, value)
  }
  return least > most ? [0, 1] : [least, most]
}

/** The distance of ticks that are 1, 2 or 5 times a power of ten. */
const stepOf = (range: number): number => {
  const rough = range / TICKS
  const power = 10 ** Math.floor(Math.log10(rough))
  return power * ([1, 2, 5].find((one) => one * power >= rough) ?? 10)
}

const linear = (values: ReadonlyArray<number>, from: number, to: number): Scale => {
  const [least, most] = span([0, ...values])
  const step = stepOf(most - least || 1)
  const end = Math.ceil((most || 1) / step) * step
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, n) => n * step)
  return { of: (value) => from + (value / end) * (to - from), ticks }
}

const logarithmic = (values: ReadonlyArray<number>, from: number, to: number): Scale => {
  const [least, most] = span(values.filter((value) => value > 0).map(Math.log10))
  const low = Math.floor(least)
  const high = Math.max(low + 1, Math.ceil(most))
  const ticks = Array.from({ length: high - low + 1 }, (_, n) => 10 ** (low + n))
  return { of: (value) => from + ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * (to - from), ticks }
}

const round = (value: number): string => String(Math.round(value * 10) / 10)

const label = (value: number): string => Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 3 })

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const pathOf = (line: Line, x: Scale, y: Scale): string => {
  let path = ""
  let pen = "M"
  for (const [at, value] of line.points) {
    if (!Number.isFinite(value)) pen = "M" // nothing was measured here: a gap
    else {
      path += `${pen}${round(x.of(at))} ${round(y.of(value))}`
      pen = "L"
    }
  }
  return path
}

const grid = (x: Scale, y: Scale): ReadonlyArray<string> => [
  ...y.ticks.map((tick) => {
    const at = round(y.of(tick))
    return `<path class="grid" d="M${LEFT} ${at}H${WIDTH - RIGHT}"/>` +
      `<text x="${LEFT - 8}" y="${at}" dy="4" text-anchor="end">${label(tick)}</text>`
  }),
  ...x.ticks.map((tick) =>
    `<text x="${round(x.of(tick))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${label(tick)}</text>`
  )
]

const legend = (lines: ReadonlyArray<Line>): ReadonlyArray<string> => {
  const width = (WIDTH - LEFT - RIGHT) / Math.max(lines.length, 1)
  return lines.map(({ name }, n) => {
    const at = round(LEFT + n * width)
    return `<path class="line l${n}" d="M${at} 40h24"/>` +
      `<text x="${round(LEFT + n * width + 30)}" y="44">${escape(name)}</text>`
  })
}

const style = () =>
  [
    "text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-size:14px;font-weight:600;fill:#1f2328}",
    ".grid{stroke:#8b949e;stroke-opacity:.3}.line{fill:none;stroke-width:2;stroke-linejoin:round}",
    ...colours.map((colour, n) =>
      `.l${n}{stroke:${colour}${dashes[n] === "" ? "" : `;stroke-dasharray:${dashes[n]}`}}`
    ),
    "@media(prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#f0f6fc}}"
  ].join("")

/** The drawing, a whole file. Takes four lines at most. */
export const draw = (plot: Plot): string => {
  const xs = plot.lines.flatMap((line) => line.points.map(([x]) => x))
  const ys = plot.lines.flatMap((line) => line.points.map(([, y]) => y)).filter(Number.isFinite)
  const x = linear(xs, LEFT, WIDTH - RIGHT)
  const y = (plot.log === true ? logarithmic : linear)(ys, HEIGHT - BOTTOM, TOP)
  const title = escape(plot.title)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">`,
    `<style>${style()}</style>`,
    `<text class="title" x="${LEFT}" y="20">${title}</text>`,
    ...grid(x, y),
    `<text x="${WIDTH - RIGHT}" y="${HEIGHT - 8}" text-anchor="end">${escape(plot.x)}</text>`,
    `<text x="8" y="${TOP - 12}">${escape(plot.y)}</text>`,
    ...plot.lines.map((line, n) => `<path class="line l${n % colours.length}" d="${pathOf(line, x, y)}"/>`),
    ...legend(plot.lines),
    "</svg>\n"
  ].join("\n")
}
