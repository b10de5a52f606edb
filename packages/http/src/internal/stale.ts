/**
 * Which errors mean that a connection which was kept for later had broken meanwhile: then the others probably have, too.
 * One that breaks in its first use says nothing of those.
 *
 * @internal
 */
import type { HttpError } from "../HttpError.ts"

const stale = new WeakSet<object>()

export const markStale = (error: HttpError): HttpError => {
  stale.add(error)
  return error
}

export const isStale = (error: unknown): boolean => typeof error === "object" && error !== null && stale.has(error)
