/**
 * Settings to begin with, for `Policy.make`: `Policy.make({ ...Policy.standard, name: "orders" })`. The times are choices of
 * ours, for backends near by that answer in milliseconds; a policy of one's own begins with what its callers can wait for.
 *
 * @internal
 */

/**
 * For calls of any kind: 5 seconds for all, 2 for an attempt, two retries where that is safe, and a breaker.
 *
 * @category presets
 * @since 0.1.0
 */
export const standard = {
  deadline: "5 seconds",
  timeout: "2 seconds",
  retry: { times: 2 },
  breaker: {}
} as const

/**
 * For reads that somebody waits for: 2 seconds for all, 1 for an attempt, a second attempt beside one that is slow, and a
 * breaker.
 *
 * @category presets
 * @since 0.1.0
 */
export const read = {
  deadline: "2 seconds",
  timeout: "1 second",
  hedge: {},
  breaker: {}
} as const

/**
 * For what changes something: 10 seconds for all, 5 for an attempt, since cutting one leaves it in doubt; two retries, of
 * what surely was not sent or may be repeated; and a breaker.
 *
 * @category presets
 * @since 0.1.0
 */
export const write = {
  deadline: "10 seconds",
  timeout: "5 seconds",
  retry: { times: 2 },
  breaker: {}
} as const

/**
 * For what one can do without, such as a cache or a counter: half a second, once, and a breaker. A `Fallback` goes well with
 * it.
 *
 * @category presets
 * @since 0.1.0
 */
export const bestEffort = {
  deadline: "500 millis",
  breaker: {}
} as const
