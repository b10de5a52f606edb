/**
 * Random times for simulations: how long a server takes, how long until the next call. All in milliseconds, drawn from a
 * source of numbers in [0, 1).
 *
 * @since 0.1.0
 */

/**
 * Draws one value, in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export type Distribution = (random: () => number) => number

/**
 * Always the same.
 *
 * @category constructors
 * @since 0.1.0
 */
export const constant = (millis: number): Distribution => () => millis

/**
 * Anywhere in [`least`, `most`) alike.
 *
 * @category constructors
 * @since 0.1.0
 */
export const uniform = (least: number, most: number): Distribution => (random) => least + (most - least) * random()

/**
 * Exponential with this mean: the time between two events of a Poisson process.
 *
 * @category constructors
 * @since 0.1.0
 */
export const exponential = (mean: number): Distribution => (random) => -mean * Math.log(1 - random())

/** Standard normal, by Box and Muller ("A Note on the Generation of Random Normal Deviates", 1958). */
const standardNormal: Distribution = (random) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/**
 * Normal, and never below zero.
 *
 * @category constructors
 * @since 0.1.0
 */
export const normal = (mean: number, deviation: number): Distribution => (random) =>
  Math.max(0, mean + deviation * standardNormal(random))

/**
 * Log-normal with this median; `sigma` is the deviation of the logarithm.
 *
 * @category constructors
 * @since 0.1.0
 */
export const logNormal = (median: number, sigma: number): Distribution => (random) =>
  median * Math.exp(sigma * standardNormal(random))

/**
 * Log-normal with this mean, which is e^(sigma²/2) times the median.
 *
 * @category constructors
 * @since 0.1.0
 */
export const logNormalOfMean = (mean: number, sigma: number): Distribution =>
  logNormal(mean / Math.exp(sigma * sigma / 2), sigma)

/**
 * One of several, by weights that need not add up to one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const mixture = (
  ...parts: ReadonlyArray<readonly [weight: number, distribution: Distribution]>
): Distribution => {
  const total = parts.reduce((sum, [weight]) => sum + weight, 0)
  return (random) => {
    let left = random() * total
    for (const [weight, distribution] of parts) {
      left -= weight
      if (left < 0) return distribution(random)
    }
    return parts.at(-1)?.[1](random) ?? 0
  }
}

/**
 * The sum of two.
 *
 * @category combinators
 * @since 0.1.0
 */
export const plus = (a: Distribution, b: Distribution): Distribution => (random) => a(random) + b(random)
