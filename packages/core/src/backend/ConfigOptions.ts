/**
 * Options of a backend from a `ConfigProvider`, as `layerConfig` reads them: each given one, the URL from its variable,
 * the profile; and all that is wrong with them as `ConfigError`.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Profile from "./Profile.ts"
import * as Setting from "./Setting.ts"

/**
 * A `ConfigError` of a message, in which nothing secret may be.
 *
 * @since 0.1.0
 * @category failing
 */
export const error = (message: string): Config.ConfigError =>
  new Config.ConfigError(new ConfigProvider.SourceError({ message }))

/**
 * As `Config.Wrap`, where a group of settings that may be `false` instead is still a group: each of its settings may be
 * a config of its own. `Config.succeed(false)` is its `false`.
 *
 * @since 0.1.0
 * @category models
 */
export type Wrap<A> = IsGroup<Exclude<NonNullable<A>, false>> extends true
  ? WrapEach<Exclude<A, false>> | Config.Config<A>
  : Config.Config<A>

type WrapEach<A> = { readonly [K in keyof A]: Wrap<A[K]> }

type IsGroup<A> = [A] extends [object] ? [keyof A] extends [never] ? false : [keyof A] extends [string] ? true : false
  : false

/** `Config.unwrap` takes every key for a config, also one that is there and undefined. */
const withoutUndefined = <A>(wrapped: A): A => {
  if (Config.isConfig(wrapped) || !Predicate.isObject(wrapped)) return wrapped
  const entries = Object.entries(wrapped).filter(([, value]) => value !== undefined)
  // The same keys, but for those that held nothing.
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutUndefined(value)])) as A
}

/**
 * Reads the options that are given, and nothing else.
 *
 * @since 0.1.0
 * @category reading
 */
export const unwrap = <Given>(wrapped: Wrap<Given>): Effect.Effect<Given, Config.ConfigError> =>
  // Only types tell them apart: it goes by what is a config.
  Effect.suspend(() => Config.unwrap<Given>(withoutUndefined(wrapped) as Config.Wrap<Given>))

/**
 * Options without the name, which a `Service` has already.
 *
 * @since 0.1.0
 * @category models
 */
export type OptionalName<Options extends { readonly name: string }> = Omit<Options, "name"> & {
  readonly name?: string | undefined
}

/**
 * Options without the URL, which may be in a variable.
 *
 * @since 0.1.0
 * @category models
 */
export type OptionalUrl<Options extends { readonly url: Redacted.Redacted }> = Omit<Options, "url"> & {
  readonly url?: Redacted.Redacted | undefined
}

/**
 * Reads the options that are given; a name that they lack is that of the `Service`, a profile `Profile.fromConfig`.
 *
 * @since 0.1.0
 * @category reading
 */
export const read = <Given extends OptionalName<Setting.Common>>(
  wrapped: Wrap<Given>,
  name: string | undefined
): Effect.Effect<
  Given & { readonly name: string; readonly profile: Profile.Profile | undefined },
  Config.ConfigError
> =>
  Effect.gen(function*() {
    const given = yield* unwrap(wrapped)
    const profile = given.profile ?? Option.getOrUndefined(yield* Profile.fromConfig)
    return { ...given, name: given.name ?? name ?? "", profile }
  })

/**
 * As `read`, with a URL that is that of a variable unless the options give one. Warns where both speak and differ.
 *
 * @since 0.1.0
 * @category reading
 */
export const readWithUrl = <
  Given extends OptionalName<Setting.Common> & { readonly url?: Redacted.Redacted | undefined }
>(
  kind: string,
  variable: string,
  wrapped: Wrap<Given>,
  name: string | undefined
): Effect.Effect<
  Given & {
    readonly name: string
    readonly profile: Profile.Profile | undefined
    readonly url: Redacted.Redacted
  },
  Config.ConfigError
> =>
  Effect.gen(function*() {
    const given = yield* read(wrapped, name)
    const variableUrl = yield* variableOf(Config.Redacted(variable))
    const url = given.url ?? variableUrl
    if (url === undefined) {
      return yield* Effect.fail(
        error(`${kind} "${given.name}": neither the option url nor the variable ${variable} is set`)
      )
    }
    if (variableUrl !== undefined && Redacted.value(variableUrl) !== Redacted.value(url)) {
      yield* Effect.logWarning(`${kind} "${given.name}": the option url and ${variable} differ; the option counts`)
    }
    return { ...given, url }
  })

/**
 * How many processes there are like this one: the option, else the variable `BREAKWATER_REPLICAS`; `undefined` where
 * neither says. Warns where both speak and differ.
 *
 * @since 0.1.0
 * @category reading
 */
export const replicas = (
  kind: string,
  given: { readonly name: string; readonly replicas?: number | undefined }
): Effect.Effect<number | undefined, Config.ConfigError> =>
  Effect.gen(function*() {
    const warnings: Array<string> = []
    const chosen = Setting.choose(warnings, {
      option: ["replicas", given.replicas],
      variable: ["BREAKWATER_REPLICAS", yield* whole("BREAKWATER_REPLICAS", 1)]
    })
    for (const warning of warnings) yield* Effect.logWarning(`${kind} "${given.name}": ${warning}`)
    return chosen
  })

/**
 * A variable that need not be set.
 *
 * @since 0.1.0
 * @category reading
 */
export const variableOf = <A>(config: Config.Config<A>): Effect.Effect<A | undefined, Config.ConfigError> =>
  Effect.map(Config.option(config), Option.getOrUndefined)

/**
 * A whole number of `least` or more in a variable that need not be set.
 *
 * @since 0.1.0
 * @category reading
 */
export const whole = (variable: string, least: number): Effect.Effect<number | undefined, Config.ConfigError> =>
  Effect.flatMap(variableOf(Config.Int(variable)), (value) =>
    value === undefined || value >= least
      ? Effect.succeed(value)
      : Effect.fail(error(`${variable} is ${value}; allowed is a whole number of ${least} or more`)))

/**
 * A time in a variable that need not be set: seconds there, above 0, milliseconds here.
 *
 * @since 0.1.0
 * @category reading
 */
export const seconds = (variable: string): Effect.Effect<number | undefined, Config.ConfigError> =>
  Effect.flatMap(variableOf(Config.Finite(variable)), (value) => {
    if (value === undefined) return Effect.undefined
    return value > 0
      ? Effect.succeed(value * 1000)
      : Effect.fail(error(`${variable} is ${value}; allowed is a number of seconds above 0`))
  })

/**
 * Makes a backend of options that were read: what throws a `RangeError` from code is a `ConfigError` here.
 *
 * @since 0.1.0
 * @category failing
 */
export const make = <A, E, R>(
  kind: string,
  from: () => Effect.Effect<A, E, R>
): Effect.Effect<A, E | Config.ConfigError, R> =>
  Effect.flatten(Effect.try({
    try: from,
    catch: (thrown) => error(thrown instanceof RangeError ? thrown.message : `${kind}: the options are not valid`)
  }))
