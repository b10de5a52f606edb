/**
 * Checks of options. Each throws a `RangeError` that names the option, the value and what is allowed.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as CloseCode from "../CloseCode.ts"

const show = (value: unknown): string => {
  if (Duration.isDuration(value)) return Duration.format(value)
  return typeof value === "string" ? JSON.stringify(value) : String(value)
}

export const refuse = (option: string, value: unknown, allowed: string): never => {
  throw new RangeError(`Option "${option}" is ${show(value)}; allowed is ${allowed}.`)
}

export const name = (value: string): string =>
  typeof value === "string" && value !== "" ? value : refuse("name", value, "a text that is not empty")

export const count = (option: string, value: number): number =>
  Number.isSafeInteger(value) && value >= 1 ? value : refuse(option, value, "a whole number of 1 or more")

/** Milliseconds. */
export const millis = (option: string, value: Duration.Input): number => {
  const decoded = Duration.fromInput(value)
  const time = decoded._tag === "Some" ? Duration.toMillis(decoded.value) : NaN
  return time > 0 && Number.isFinite(time) ? time : refuse(option, value, "a finite duration longer than zero")
}

/** Milliseconds; zero is now. */
export const deadline = (value: Duration.Input): number => {
  const decoded = Duration.fromInput(value)
  const time = decoded._tag === "Some" ? Duration.toMillis(decoded.value) : NaN
  return time >= 0 && Number.isFinite(time) ? time : refuse("deadline", value, "a finite duration of zero or more")
}

/** Bytes that fit into the control frame beside the code. */
const MAX_REASON = 123

export const close = (code: number, reason: string): void => {
  if (!CloseCode.isSendable(code)) refuse("code", code, "1000 to 1003, 1007 to 1014, 3000 to 4999")
  if (Buffer.byteLength(reason) > MAX_REASON) refuse("reason", reason, `at most ${MAX_REASON} bytes`)
}
