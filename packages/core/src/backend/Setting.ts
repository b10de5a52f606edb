/**
 * Where the settings of a backend come from, in the order of who beats whom: an option of the code, a variable of the
 * environment, a parameter of the URL; and where none of them speaks the profile, and then the default.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type { Profile } from "./Profile.ts"
import * as Validate from "./Validate.ts"

/**
 * What every backend is given, beside options of its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface Common {
  /** Appears in errors, events, statistics and logs. */
  readonly name: string
  /** Whether the process is not ready without it. Default true. */
  readonly critical?: boolean | undefined
  /** Whose sizes and times are the defaults. Default: none. `layerConfig` reads it from the environment. */
  readonly profile?: Profile | undefined
  /**
   * What it is among several of its kind, for metrics that have the label `pool_type`: a region, or what its servers are.
   * Default `replica` where its settings seek servers that only answer reads, else `primary`.
   */
  readonly poolType?: string | undefined
}

/**
 * `Common` with every default resolved, and what came to light on the way.
 *
 * @since 0.1.0
 * @category models
 */
export interface Resolved {
  readonly name: string
  readonly critical: boolean
  readonly profile: Profile | undefined
  readonly poolType: string
  readonly overrides: ReadonlyArray<Override>
  readonly warnings: ReadonlyArray<string>
}

/**
 * What somebody calls a setting, and what he gave for it.
 *
 * @since 0.1.0
 * @category models
 */
export type Given<A> = readonly [name: string, value: A | undefined]

/**
 * Who may give a setting.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sources<A> {
  /** By its path in the options. */
  readonly option: Given<A>
  /** Read by `layerConfig` only. */
  readonly variable?: Given<A> | undefined
  /** By its name among the parameters. */
  readonly url?: Given<A> | undefined
}

/**
 * A value for logs. What is an object is not shown: it may hold a private key.
 *
 * @since 0.1.0
 * @category formatting
 */
export const show = (value: unknown): string => {
  if (Duration.isDuration(value)) return Duration.format(value)
  return typeof value === "object" ? "given" : JSON.stringify(value)
}

/**
 * What the first source says that says something. Each further one that says something else, by its text, is a warning
 * that names both.
 *
 * @since 0.1.0
 * @category choosing
 */
export const choose = <A>(
  warnings: Array<string>,
  { option, url, variable }: Sources<A>,
  text: (value: A) => string = show
): A | undefined => {
  const sources: ReadonlyArray<Given<A>> = [
    [`the option ${option[0]}`, option[1]],
    ...(variable === undefined ? [] : [variable]),
    ...(url === undefined ? [] : [[`the URL's ${url[0]}`, url[1]] as const])
  ]
  const [first, ...others] = sources.filter(([, value]) => value !== undefined)
  if (first?.[1] === undefined) return undefined
  const [from, chosen] = first
  for (const [other, value] of others) {
    if (value === undefined || text(value) === text(chosen)) continue
    warnings.push(`${from} (${text(chosen)}) and ${other} (${text(value)}) differ; ${from} counts`)
  }
  return chosen
}

/**
 * As `choose`, for a time: the option is checked as `Validate.duration` does; the others are milliseconds, checked where
 * they were read.
 *
 * @since 0.1.0
 * @category choosing
 */
export const chooseTime = (
  warnings: Array<string>,
  { option, url, variable }: {
    readonly option: Given<Duration.Input>
    readonly variable?: Given<number> | undefined
    readonly url?: Given<number> | undefined
  }
): Duration.Duration | undefined => {
  const [name, input] = option
  const timeOf = (given: Given<number> | undefined): Given<Duration.Duration> | undefined =>
    given === undefined ? undefined : [given[0], given[1] === undefined ? undefined : Duration.millis(given[1])]
  return choose(warnings, {
    option: [name, input === undefined ? undefined : Validate.duration(name, input)],
    variable: timeOf(variable),
    url: timeOf(url)
  })
}

/**
 * Bounds of a call and of one attempt.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  readonly deadline: Duration.Duration
  /** `undefined`: an attempt has no bound but the deadline. */
  readonly timeout: Duration.Duration | undefined
}

/**
 * The defaults of `limits`.
 *
 * @since 0.1.0
 * @category models
 */
export interface LimitDefaults {
  readonly deadline: Duration.Input
  /** Counts where it is shorter than the deadline. Default: none. */
  readonly timeout?: Duration.Input | undefined
  /** A deadline that nobody gave is at least this many times the timeout that somebody did. Default: not more than it is. */
  readonly attempts?: number | undefined
}

/**
 * The deadline and the timeout of a policy, which must be the shorter one. Throws a `RangeError` under the names
 * `policy.deadline` and `policy.timeout`.
 *
 * @since 0.1.0
 * @category choosing
 */
export const limits = (
  given: { readonly deadline?: Duration.Input | undefined; readonly timeout?: Duration.Input | undefined },
  defaults: LimitDefaults
): Limits => {
  const wanted = given.deadline === undefined ? undefined : Validate.duration("policy.deadline", given.deadline)
  const usual = Duration.fromInputUnsafe(defaults.deadline)
  if (given.timeout === undefined) {
    const deadline = wanted ?? usual
    const timeout = Duration.fromInputUnsafe(defaults.timeout ?? Duration.infinity)
    return { deadline, timeout: Duration.isLessThan(timeout, deadline) ? timeout : undefined }
  }
  const timeout = Validate.duration("policy.timeout", given.timeout)
  const deadline = wanted ?? Duration.max(usual, Duration.times(timeout, defaults.attempts ?? 0))
  if (Duration.isLessThan(timeout, deadline)) return { deadline, timeout }
  return Validate.refuse("policy.timeout", timeout, `less than policy.deadline, which is ${Duration.format(deadline)}`)
}

/**
 * The option `poolType`, or what the backend is without it. Throws a `RangeError` for an empty text.
 *
 * @since 0.1.0
 * @category choosing
 */
export const poolType = (given: string | undefined, reads: "primary" | "replica" = "primary"): string =>
  Validate.text("poolType", given ?? reads)

/**
 * A setting that is not as the profile has it, both values as text.
 *
 * @since 0.1.0
 * @category models
 */
export interface Override {
  readonly setting: string
  readonly value: string
  readonly profile: string
}

/**
 * Which of the values in force are not those of the profile; none where there is no profile. What it does not speak of is
 * `undefined` there.
 *
 * @since 0.1.0
 * @category choosing
 */
export const overrides = (
  profile: Profile | undefined,
  settings: Readonly<Record<string, readonly [value: unknown, usual: unknown]>>
): ReadonlyArray<Override> =>
  Object.entries(profile === undefined ? {} : settings).flatMap(([setting, [value, usual]]) => {
    if (usual === undefined || show(value) === show(usual)) return []
    return [{ setting, value: show(value), profile: show(usual) }]
  })
