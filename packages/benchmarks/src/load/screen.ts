/** What a person sees while it runs: one screen that is written over, or a line a second where nothing can be. */
import { table } from "../report.ts"
import type { Plan } from "./plan.ts"
import type { Summary } from "./tally.ts"

export interface Row extends Summary {
  readonly name: string
}

const cells = ({ failures, millis, name, ok, requests }: Row): Array<string> => [
  name,
  String(requests),
  requests === 0 ? "" : `${Math.floor(1000 * ok / requests) / 10} %`,
  ...[millis?.p50, millis?.p95, millis?.p99, millis?.max].map((value) => value === undefined ? "" : String(value)),
  Object.entries(failures).slice(0, 2).map(([failure, count]) => `${failure} ${count}`).join(", ")
]

export const rows = (plan: Plan, phases: ReadonlyArray<Summary>): ReadonlyArray<Row> =>
  plan.phases.map(({ rate, seconds }, index) => ({
    name: `${seconds} s at ${rate}/s`,
    ...(phases[index] ?? { requests: 0, ok: 0, failures: {}, millis: null })
  }))

/** Each request is counted in the phase in which it was due. */
export const frame = (shown: ReadonlyArray<Row>, inFlight: number): string =>
  `${
    table(["phase", "ended", "ok", "p50 ms", "p95 ms", "p99 ms", "max ms", "failures"], shown.map(cells))
  }\n${inFlight} under way`

const UP = (lines: number) => `\u001b[${lines}A\u001b[0J`

/** Writes frames over each other on a terminal, and lines of the last second elsewhere. */
export const make = (write: (text: string) => void, isTerminal: boolean) => {
  let height = 0
  return {
    show: (shown: ReadonlyArray<Row>, second: Row, inFlight: number): void => {
      if (!isTerminal) {
        return write(`${cells(second).filter((cell) => cell !== "").join("  ")}  under way ${inFlight}\n`)
      }
      const text = frame([...shown, second], inFlight)
      write(`${height === 0 ? "" : UP(height)}${text}\n`)
      height = text.split("\n").length
    },
    end: (shown: ReadonlyArray<Row>, inFlight: number): void => {
      write(`${height === 0 ? "" : UP(height)}${frame(shown, inFlight)}\n`)
    }
  }
}
