/** Cases in which the question is not what an operation costs: every candidate goes through the same, and is observed. */
import { inTurn } from "./candidate.ts"
import type { Result } from "./measure.ts"
import { median } from "./statistics.ts"

export interface Figure {
  readonly title: string
  readonly unit: "ms" | "count"
}

/** What was observed, by the name of the figure. */
export type Observed<Name extends string> = Readonly<Record<Name, number>>

export interface Trial<Name extends string = string> {
  readonly name: string
  readonly role: "ours" | "peer" | "floor"
  readonly run: () => Promise<Observed<Name>>
}

export interface TrialCase<Name extends string = string> {
  readonly name: string
  readonly about: string
  readonly figures: Readonly<Record<Name, Figure>>
  readonly trials: ReadonlyArray<Trial<Name>>
  readonly goals: ReadonlyArray<{ readonly of: string; readonly figure: Name; readonly atMost: number }>
}

/** A trial takes seconds. */
const MOST_ROUNDS = 3

/** The medians of the rounds, in which the trials take turns. */
export const tryOut = async <Name extends string>(one: TrialCase<Name>, rounds: number): Promise<Result> => {
  const count = Math.min(rounds, MOST_ROUNDS)
  const observed = new Map<Trial<Name>, Array<Observed<Name>>>(one.trials.map((trial) => [trial, []]))
  await inTurn(Array.from({ length: count }), () =>
    inTurn(observed, async ([trial, all]) => {
      all.push(await trial.run())
    }))
  const valueOf = (trial: Trial<Name>, figure: Name) => median((observed.get(trial) ?? []).map((all) => all[figure]))
  // The names of the figures, which `Object.keys` widens.
  const names = Object.keys(one.figures) as Array<Name>
  const rowOf = (trial: Trial<Name>) => ({
    name: trial.name,
    role: trial.role,
    figures: names.map((name) => ({ ...one.figures[name], value: valueOf(trial, name) }))
  })
  const verdicts = one.goals.flatMap(({ atMost, figure, of }) =>
    one.trials.filter(({ name }) => name === of).map((trial) => {
      const { title, unit } = one.figures[figure]
      const value = valueOf(trial, figure)
      const shown = (millis: number) => unit === "ms" ? `${millis.toFixed(0)} ms` : String(millis)
      return { goal: `${of}, ${title}: at most ${shown(atMost)}`, measured: shown(value), met: value <= atMost }
    })
  )
  const { about, name } = one
  return { name, about, shows: "figures", rounds: count, rows: [], trials: one.trials.map(rowOf), verdicts }
}
