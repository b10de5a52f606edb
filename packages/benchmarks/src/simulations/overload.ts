/** The scenarios of an overload that lasts: as much goodput as without a limit, at the latency of no load. */
import { limited, type Load, plots, stageFigures, storm } from "./limits.ts"
import type { Bound, Figures } from "./scenario.ts"

export interface Overload {
  readonly load: Load
  /** The stage with more calls than the server can do, and one with 60 % of that or less. */
  readonly overloaded: number
  readonly light: number
  /** The median latency in milliseconds that is published for no limit, or half of it: the set-up is as hard as that. */
  readonly p50Without: number
}

const bounds = (p50Without: number): ReadonlyArray<Bound> => [
  { measure: "p50 without a limit, ms", atLeast: p50Without },
  { measure: "goodput, share of capacity", atLeast: 0.97 },
  { measure: "p50, times unloaded", atMost: 3 },
  { measure: "p99, times unloaded", atMost: 2 },
  { measure: "windows to converge", atLeast: 0, atMost: 10 },
  { measure: "share refused under light load", atMost: 0.01 }
]

export const run = ({ light, load, overloaded, p50Without }: Overload) => (seed: number): Figures => {
  const without = storm(load, seed)
  const ours = limited(load, seed)
  const figures = stageFigures(ours, overloaded)
  return {
    measures: {
      "p50 without a limit, ms": stageFigures(without, overloaded).p50,
      "goodput a second": figures.goodput,
      "goodput, share of capacity": figures.capacityUsed,
      "p50, times unloaded": figures.p50Ratio,
      "p99, times unloaded": figures.p99Ratio,
      "windows to converge": figures.settledAfter,
      "share refused": figures.shed,
      "share refused under light load": stageFigures(ours, light).shed
    },
    bounds: bounds(p50Without),
    series: plots(without, ours)
  }
}
