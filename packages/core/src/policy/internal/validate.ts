import * as Duration from "effect/Duration"

const show = (value: unknown): string => {
  if (Duration.isDuration(value)) return Duration.format(value)
  return typeof value === "string" ? JSON.stringify(value) : String(value)
}

/** @internal */
export const refuse = (option: string, value: unknown, allowed: string): never => {
  throw new RangeError(`Option "${option}" is ${show(value)}; allowed is ${allowed}.`)
}

/** @internal */
export const duration = (option: string, value: Duration.Input): Duration.Duration => {
  const decoded = Duration.fromInput(value)
  return decoded._tag === "Some" && Duration.isFinite(decoded.value) && Duration.toMillis(decoded.value) > 0
    ? decoded.value
    : refuse(option, value, "a finite duration longer than zero")
}

/** @internal */
export const count = (option: string, value: number): number =>
  Number.isSafeInteger(value) && value >= 0 ? value : refuse(option, value, "a whole number of 0 or more")
