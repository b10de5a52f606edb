/**
 * Checks of options, for authors of backends. Each gives the value back, or throws a `RangeError` that names the option,
 * the value and what is allowed.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as validate from "../internal/validate.ts"

/**
 * Throws: for checks that are not here.
 *
 * @since 0.1.0
 * @category failing
 */
export const refuse: (option: string, value: unknown, allowed: string) => never = validate.refuse

/**
 * Runs what checks options of its own. An option that it refuses is named with `path` before it, which is where the
 * options of the backend have those that are handed on.
 *
 * @since 0.1.0
 * @category failing
 */
export const within: <A>(path: string, make: () => A) => A = validate.within

/**
 * A text that is not empty.
 *
 * @since 0.1.0
 * @category checks
 */
export const text = (option: string, value: string): string =>
  typeof value === "string" && value !== "" ? value : refuse(option, value, "a text that is not empty")

/**
 * One of some texts.
 *
 * @since 0.1.0
 * @category checks
 */
export const oneOf: <const T extends string>(option: string, value: string, allowed: ReadonlyArray<T>) => T =
  validate.oneOf

/**
 * A whole number of at least `least` and at most `most`; without `most` of any size that is exact.
 *
 * @since 0.1.0
 * @category checks
 */
export const integer: (option: string, value: number, least: number, most?: number) => number = validate.integer

/**
 * A number from 0 to 1.
 *
 * @since 0.1.0
 * @category checks
 */
export const share: (option: string, value: number) => number = validate.share

/**
 * A finite duration longer than zero: nothing waits without a bound.
 *
 * @since 0.1.0
 * @category checks
 */
export const duration: (option: string, value: Duration.Input) => Duration.Duration = validate.duration

/**
 * As `duration`, in milliseconds.
 *
 * @since 0.1.0
 * @category checks
 */
export const boundedMillis: (option: string, value: Duration.Input) => number = validate.boundedMillis

/**
 * A finite duration of zero or more, in milliseconds.
 *
 * @since 0.1.0
 * @category checks
 */
export const finiteMillis: (option: string, value: Duration.Input) => number = validate.finiteMillis

/**
 * Options of which each has one of the names that there are. Throws for the first that has not: misspelt, it would do
 * nothing.
 *
 * @since 0.1.0
 * @category checks
 */
export const known: <A extends object>(path: string, options: A, names: ReadonlyArray<string>) => A = validate.known
