/**
 * Checks of options. Each throws a `RangeError` that names the option, the value and what is allowed.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

const show = (value: unknown): string => {
  if (Duration.isDuration(value)) return Duration.format(value)
  return typeof value === "string" ? JSON.stringify(value) : String(value)
}

/** What was refused, apart from the message, so that `within` can put the path of the option together. */
const refusals = new WeakMap<object, { readonly option: string; readonly rest: string }>()

const refusal = (option: string, rest: string): RangeError => {
  const error = new RangeError(`Option "${option}" ${rest}`)
  refusals.set(error, { option, rest })
  return error
}

export const refuse = (option: string, value: unknown, allowed: string): never => {
  throw refusal(option, `is ${show(value)}; allowed is ${allowed}.`)
}

/** What `make` throws for an option names it with `path` before it: where the caller was given what is handed on. */
export const within = <A>(path: string, make: () => A): A => {
  try {
    return make()
  } catch (thrown) {
    const refused = thrown instanceof RangeError ? refusals.get(thrown) : undefined
    throw refused === undefined ? thrown : refusal(`${path}.${refused.option}`, refused.rest)
  }
}

/** A whole number of at least `least` and at most `most`. */
export const integer = (option: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): number => {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`
  return refuse(option, value, `a whole number ${range}`)
}

/** A finite duration longer than zero: nothing waits without a bound. */
export const duration = (option: string, value: Duration.Input): Duration.Duration =>
  decode(option, value, "a finite duration longer than zero", (millis) => millis > 0 && Number.isFinite(millis))

/** The same in milliseconds. */
export const boundedMillis = (option: string, value: Duration.Input): number =>
  Duration.toMillis(duration(option, value))

/** A finite duration of zero or more, in milliseconds. */
export const finiteMillis = (option: string, value: Duration.Input): number =>
  Duration.toMillis(
    decode(option, value, "a finite duration of zero or more", (millis) => millis >= 0 && Number.isFinite(millis))
  )

/** A duration of zero or more, infinity included, in milliseconds. */
export const unboundedMillis = (option: string, value: Duration.Input): number =>
  Duration.toMillis(decode(option, value, "a duration of zero or more", (millis) => millis >= 0))

/** A duration longer than zero, infinity included, in milliseconds. */
export const periodMillis = (option: string, value: Duration.Input): number =>
  Duration.toMillis(decode(option, value, "a duration longer than zero", (millis) => millis > 0))

/** A number from 0 to 1. */
export const share = (option: string, value: number): number =>
  value >= 0 && value <= 1 ? value : refuse(option, value, "a number from 0 to 1")

const decode = (
  option: string,
  value: Duration.Input,
  allowed: string,
  isAllowed: (millis: number) => boolean
): Duration.Duration => {
  const decoded = Duration.fromInput(value)
  return Option.isSome(decoded) && isAllowed(Duration.toMillis(decoded.value))
    ? decoded.value
    : refuse(option, value, allowed)
}

export const oneOf = <const T extends string>(option: string, value: string, allowed: ReadonlyArray<T>): T =>
  allowed.find((one) => one === value) ?? refuse(option, value, allowed.map((one) => JSON.stringify(one)).join(", "))

/** Options of which each has one of these names. The value of one that has not is not shown: nobody knows what it is. */
export const known = <A extends object>(path: string, options: A, names: ReadonlyArray<string>): A => {
  const other = Object.keys(options).find((name) => !names.includes(name))
  if (other === undefined) return options
  throw refusal(`${path}.${other}`, `is not known; allowed is one of ${names.join(", ")}.`)
}
