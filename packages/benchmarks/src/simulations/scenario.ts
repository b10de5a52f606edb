/**
 * A scenario: a storm on virtual time that a policy with its default settings must come through, and the figures that
 * say whether it did. It measures the storm without the policy too, so that it cannot pass by being mild.
 */

/** What a measure must be; a measure without a bound is only shown. */
export interface Bound {
  readonly measure: string
  readonly atMost?: number | undefined
  readonly atLeast?: number | undefined
}

export interface Line {
  readonly name: string
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
}

/** Drawn beside the table: what it was like over time. */
export interface Plot {
  readonly title: string
  readonly x: string
  readonly y: string
  /** Whether the upright axis is logarithmic, as latencies want it. Default: no. */
  readonly log?: boolean | undefined
  readonly lines: ReadonlyArray<Line>
}

export interface Figures {
  readonly measures: Readonly<Record<string, number>>
  readonly bounds: ReadonlyArray<Bound>
  readonly series?: ReadonlyArray<Plot> | undefined
}

export interface Scenario {
  readonly id: string
  readonly title: string
  /** Where the set-up and the bounds come from. */
  readonly source: string
  /** Takes seconds: the tests run it with the first seed only. */
  readonly costly?: boolean | undefined
  readonly run: (seed: number) => Figures
}

/** The seeds that every scenario is run with. */
export const seeds: ReadonlyArray<number> = [1, 2, 3]

/** Whether a value keeps a bound; what could not be measured does not. */
export const keeps = (value: number, { atLeast = -Infinity, atMost = Infinity }: Bound): boolean =>
  value >= atLeast && value <= atMost

/** The bounds that figures break, in words. */
export const broken = ({ bounds, measures }: Figures): ReadonlyArray<string> =>
  bounds.flatMap((bound) => {
    const value = measures[bound.measure] ?? NaN
    return keeps(value, bound) ? [] : [`${bound.measure} is ${value}, allowed is ${allowed(bound)}`]
  })

/** A bound in words. */
export const allowed = ({ atLeast, atMost }: Bound): string =>
  [...atLeast === undefined ? [] : [`≥ ${atLeast}`], ...atMost === undefined ? [] : [`≤ ${atMost}`]].join(", ")
