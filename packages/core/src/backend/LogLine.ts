/**
 * How this library writes what it knows into a log, for authors of backends: all in the message, in pairs as logfmt has
 * them, `max=50 wait=20s`. Annotations would be further lines with Effect's pretty logger, one each; so it is one line
 * with every logger.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"

/**
 * What is said of something, by its name in snake case. What is `undefined` is left out.
 *
 * @since 0.1.0
 * @category models
 */
export type Facts = Readonly<Record<string, string | number | boolean | Duration.Duration | undefined>>

// Also control characters: what a server says must not begin a line of its own.
// oxlint-disable-next-line no-control-regex
const ODD = /[\s"=\\\u0000-\u001f\u007f]|^$/

/**
 * As it is, or in quotes with escapes, as JSON has them, where it could not be told from what is around it.
 *
 * @since 0.1.0
 * @category formatting
 */
export const text = (value: string): string => ODD.test(value) ? JSON.stringify(value) : value

/**
 * In the order given: times as `1m30s`, text as `text` has it.
 *
 * @since 0.1.0
 * @category formatting
 */
export const pairs = (facts: Facts): string =>
  Object.entries(facts).flatMap(([name, value]) => {
    if (value === undefined) return []
    return [`${name}=${Duration.isDuration(value) ? Duration.format(value).replaceAll(" ", "") : text(String(value))}`]
  }).join(" ")

/**
 * What a line is about: `postgres "orders"`.
 *
 * @since 0.1.0
 * @category formatting
 */
export const subject = (kind: string, label: string): string => `${kind} ${JSON.stringify(label)}`

/**
 * `undefined`, so that it is left out, where the value is the usual one.
 *
 * @since 0.1.0
 * @category facts
 */
export const unless = <A>(value: A, usual: A): A | undefined => value === usual ? undefined : value
