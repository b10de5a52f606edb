/**
 * Where a server comes from: the first source that has one.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { Errors } from "./serverErrors.ts"

/** Why a source has none. */
export interface Missing {
  readonly why: string
}

export interface Given {
  readonly url: Redacted.Redacted
}

/** `finders` are tried in the order of `sources`. */
export const find = Effect.fnUntraced(function*<Source extends string, Found extends object, E>(
  sources: ReadonlyArray<Source>,
  finders: Record<Source, Effect.Effect<Found | Missing, E>>,
  errors: Errors<E>
): Effect.fn.Return<Found, E> {
  const tried: Array<{ readonly source: Source; readonly why: string }> = []
  for (const source of sources) {
    const found = yield* finders[source]
    if (!isMissing(found)) return found
    tried.push({ source, why: found.why })
  }
  return yield* Effect.fail(errors.notFound(tried))
})

const isMissing = (found: object): found is Missing => "why" in found

/** The URL in an environment variable. */
export const fromEnvironment = (variable: string): Effect.Effect<Given | Missing> =>
  Config.Redacted(variable).pipe(
    Config.option,
    Effect.orDie, // an optional variable of any content can't fail
    Effect.map((url) => Option.isSome(url) ? { url: url.value } : { why: `${variable} is not set` })
  )
