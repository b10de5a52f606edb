/**
 * The options of faults, checked when a fault is made.
 */
import * as Duration from "effect/Duration"

/** Milliseconds of a time that is finite. */
export const millis = (fault: string, name: string, duration: Duration.Input): number => {
  const value = Duration.toMillis(Duration.fromInputUnsafe(duration))
  if (Number.isFinite(value) && value >= 0) return value
  throw new RangeError(`Fault.${fault}: ${name} is ${value} ms, allowed is a finite time of at least 0`)
}

export const count = (fault: string, name: string, value: number): number => {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new RangeError(`Fault.${fault}: ${name} is ${value}, allowed are the integers from 1`)
}
