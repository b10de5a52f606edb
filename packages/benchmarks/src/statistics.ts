/** What a list of measurements says. */

/** The value below which `share` of the values lie, between neighbours by their distance. NaN for no values. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? NaN
  const above = sorted[Math.ceil(position)] ?? NaN
  return below + (above - below) * (position - Math.floor(position))
}

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

export const mean = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** The distance between the quartiles, as a share of the median: how far to trust it. */
export const spread = (values: ReadonlyArray<number>): number =>
  (quantile(values, 0.75) - quantile(values, 0.25)) / Math.abs(median(values))

/** The list from its n-th on, then those before: so that over the rounds each candidate runs in every position. */
export const rotate = <A>(items: ReadonlyArray<A>, n: number): Array<A> => {
  const start = items.length === 0 ? 0 : n % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}
