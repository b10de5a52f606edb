/**
 * Events as small JSON: times in milliseconds under names that end in `_ms`, errors as what they say.
 *
 * @internal
 */
import type { Entry } from "@breakwater/core/Backends"
import * as Health from "@breakwater/core/Health"
import { isPolicyError } from "@breakwater/core/PolicyError"
import type { PolicyEvent } from "@breakwater/core/PolicyEvent"
import { isPoolError } from "@breakwater/core/PoolError"
import type { PoolEvent } from "@breakwater/core/PoolEvent"
import * as Duration from "effect/Duration"
import type * as OpsStats from "../OpsStats.ts"

export type Happening = typeof OpsStats.Happening.Type

/** What a service may say in one line. */
const LONGEST = 300

const ERRORS = new Set(["cause", "error", "failure"])

const short = (text: string): string => text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text

/** What it is, and what it says. */
export const errorText = (error: unknown): string => {
  const text = Health.messageOf(error)
  const named = isPoolError(error) || isPolicyError(error) ? error.reason._tag : undefined
  return short(named === undefined ? text : `${named}: ${text}`)
}

const field = (name: string, value: unknown): ReadonlyArray<readonly [string, unknown]> => {
  if (value === undefined) return []
  if (ERRORS.has(name)) return [[name, errorText(value)]]
  if (Duration.isDuration(value)) return [[`${name}_ms`, Math.round(Duration.toMillis(value) * 1000) / 1000]]
  if (typeof value === "object" && value !== null) return [[name, fieldsOf(value)]]
  return [[name, typeof value === "string" ? short(value) : value]]
}

const fieldsOf = (of: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(of).flatMap(([name, value]) => name === "_tag" ? [] : field(name, value)))

/** `at`: epoch milliseconds. It has the kind with it: who hears of it may not have heard of the backend. */
export const happeningOf = (
  at: number,
  { backend: { kind }, label }: Entry,
  event: PoolEvent | PolicyEvent
): Happening => ({
  ...fieldsOf(event),
  at,
  backend: label,
  kind,
  tag: event._tag
})
