/**
 * Presets by environment. The backends keep their values for each, this module says which one counts.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Validate from "./Validate.ts"

/**
 * Where a program runs: what its defaults are for.
 *
 * @since 0.1.0
 * @category models
 */
export type Profile = "development" | "staging" | "production" | "serverless"

/**
 * All of them.
 *
 * @since 0.1.0
 * @category models
 */
export const profiles: ReadonlyArray<Profile> = ["development", "staging", "production", "serverless"]

/**
 * What `serverless` means to a pool: many processes, of which each serves little, is frozen between two requests, and
 * must not keep the server's connections from the others. Ours: the guides know no such environment.
 *
 * @since 0.1.0
 * @category presets
 */
export const serverless = {
  min: 0,
  max: 2,
  /** An idle connection is closed after this time. */
  idle: Duration.seconds(10),
  start: "lazy"
} as const

/**
 * Whether a value names a profile.
 *
 * @since 0.1.0
 * @category guards
 */
export const isProfile = (u: unknown): u is Profile => profiles.some((profile) => profile === u)

/**
 * The values of a profile, or those where there is none. Throws a `RangeError` for what is no profile.
 *
 * @since 0.1.0
 * @category presets
 */
export const valuesOf = <Values>(
  presets: Readonly<Record<Profile, Values>>,
  profile: Profile | undefined,
  none: Values
): Values => profile === undefined ? none : presets[Validate.oneOf("profile", profile, profiles)]

/** Others than Breakwater's own variable mean more than a profile: `test`, say. */
const SHARED_VARIABLES = ["ENVIRONMENT", "NODE_ENV"]

/**
 * The first that is set of `BREAKWATER_PROFILE`, `ENVIRONMENT` and `NODE_ENV`; none when none is. What is no profile
 * fails as `ConfigError` in the first, and is `development`, with a warning, in the others.
 *
 * @since 0.1.0
 * @category reading
 */
export const fromConfig: Effect.Effect<Option.Option<Profile>, Config.ConfigError> = Effect.gen(function*() {
  const own = yield* Config.option(Config.schema(Schema.Literals(profiles), "BREAKWATER_PROFILE"))
  if (Option.isSome(own)) return own
  for (const variable of SHARED_VARIABLES) {
    const value = yield* Config.option(Config.String(variable))
    if (Option.isNone(value)) continue
    if (isProfile(value.value)) return Option.some(value.value)
    yield* Effect.logWarning(`${variable} is "${value.value}", which is no profile: using development`)
    return Option.some("development" as const)
  }
  return Option.none()
})
