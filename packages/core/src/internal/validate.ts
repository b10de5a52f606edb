/**
 * Checks of options. Each throws a `RangeError` that names the option, the value and what is allowed.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

const reject = (option: string, value: unknown, allowed: string): never => {
  throw new RangeError(`${option} is ${typeof value === "string" ? JSON.stringify(value) : String(value)}; ${allowed}`)
}

/** A whole number of at least `least` and at most `most`. */
export const integer = (option: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): number =>
  Number.isSafeInteger(value) && value >= least && value <= most
    ? value
    : reject(
      option,
      value,
      `allowed is a whole number ${most === Number.MAX_SAFE_INTEGER ? `>= ${least}` : `from ${least} to ${most}`}`
    )

/** A finite duration above zero, in milliseconds: nothing waits without a bound. */
export const boundedMillis = (option: string, value: Duration.Input): number => {
  const millis = toMillis(option, value)
  return millis > 0 && Number.isFinite(millis)
    ? millis
    : reject(option, Duration.format(Duration.millis(millis)), "allowed is a finite duration above zero")
}

/** A finite duration of zero or more, in milliseconds. */
export const finiteMillis = (option: string, value: Duration.Input): number => {
  const millis = toMillis(option, value)
  return millis >= 0 && Number.isFinite(millis)
    ? millis
    : reject(option, Duration.format(Duration.millis(millis)), "allowed is a finite duration of zero or more")
}

/** A duration of zero or more, infinity included, in milliseconds. */
export const unboundedMillis = (option: string, value: Duration.Input): number => {
  const millis = toMillis(option, value)
  return millis >= 0 ? millis : reject(option, `${millis} ms`, "allowed is a duration of zero or more")
}

const toMillis = (option: string, value: Duration.Input): number =>
  Option.match(Duration.fromInput(value), {
    onNone: () => reject(option, value, "allowed is a duration such as \"5 seconds\", or milliseconds"),
    onSome: Duration.toMillis
  })

export const oneOf = <const T extends string>(option: string, value: string, allowed: ReadonlyArray<T>): T => {
  const found = allowed.find((one) => one === value)
  return found ?? reject(option, value, `allowed is ${allowed.map((one) => JSON.stringify(one)).join(", ")}`)
}
