/**
 * Settings of a policy from a `ConfigProvider`, each under the path of its option in capitals.
 *
 * @internal
 */
import * as Config from "effect/Config"
import * as Option from "effect/Option"
import { within } from "../../internal/validate.ts"
import type { Options } from "../Policy.ts"
import * as Retry from "../Retry.ts"

type Reader<A> = (name: string) => Config.Config<A>

/** How the settings of `T` are read, those that can be written down. */
type Readers<T> = { readonly [K in keyof T]?: ReaderOf<Exclude<T[K], undefined>> }
type ReaderOf<A> = Reader<A> | (A extends object ? Readers<A> : never)

const oneOf = <const L extends ReadonlyArray<string>>(...literals: L): Reader<L[number]> => (name) =>
  Config.Literals(literals, name)

const readers = {
  deadline: Config.Duration,
  throttle: {
    multiplier: Config.Number,
    window: Config.Duration,
    maxShare: Config.Number,
    perKey: { max: Config.Int, idle: Config.Duration }
  },
  timeout: Config.Duration,
  retry: { times: Config.Int, maxRetryAfter: Config.Duration },
  hedge: { after: Config.Duration, extraLoad: Config.Number, cancelLoser: Config.Boolean },
  recover: { timeout: Config.Duration },
  breaker: {
    window: Config.Int,
    minimumCalls: Config.Int,
    failureRate: Config.Number,
    slowCall: { after: Config.Duration, rate: Config.Number },
    consecutive: Config.Int,
    openFor: Config.Duration,
    halfOpenCalls: Config.Int,
    perKey: { max: Config.Int, idle: Config.Duration },
    mode: oneOf("automatic", "forcedOpen", "metricsOnly", "disabled")
  },
  rateLimit: {
    limit: Config.Int,
    interval: Config.Duration,
    burst: Config.Int,
    maxWait: Config.Duration,
    perKey: { max: Config.Int }
  },
  adaptiveLimit: {
    limit: { initial: Config.Int, min: Config.Int, max: Config.Int },
    queue: Config.Int,
    maxWait: Config.Duration,
    window: Config.Duration
  },
  bulkhead: {
    permits: Config.Int,
    queue: Config.Int,
    maxWait: Config.Duration,
    order: oneOf("fifo", "adaptive-lifo"),
    perKey: { max: Config.Int }
  },
  chaos: {
    seed: Config.Int,
    latency: { share: Config.Number, by: Config.Duration },
    error: { share: Config.Number },
    hang: { share: Config.Number, atMost: Config.Duration }
  }
} satisfies Readers<Options>

interface Tree {
  readonly [name: string]: Reader<unknown> | Tree
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** `maxWait` in `POLICY_BULKHEAD` is `POLICY_BULKHEAD_MAX_WAIT`. */
const variable = (prefix: string, option: string): string =>
  `${prefix}_${option.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`

// Over what the program gives: what is read replaces one setting, and leaves the others of its group.
const over = (prefix: string, tree: Tree, defaults: unknown): Config.Config<Record<string, unknown> | undefined> => {
  const given: Record<string, unknown> = isObject(defaults) ? { ...defaults } : {}
  const settings = Object.entries(tree).map(([option, reader]) => {
    const name = variable(prefix, option)
    const read = typeof reader === "function"
      ? Config.map(Config.option(reader(name)), Option.getOrUndefined)
      : over(name, reader, given[option])
    return Config.map(read, (value) => [option, value] as const)
  })
  return Config.map(Config.all(settings), (all) => {
    const read = all.filter(([, value]) => value !== undefined)
    return read.length === 0 ? undefined : Object.assign(given, Object.fromEntries(read))
  })
}

/** The bounds of the delays between attempts, for the default schedule. */
const delays = (prefix: string) => {
  const read = (option: string) => Config.option(Config.Duration(variable(`${prefix}_RETRY`, option)))
  return Config.map(Config.all([read("base"), read("cap")]), ([base, cap]) =>
    Option.isNone(base) && Option.isNone(cap)
      ? undefined
      : { base: Option.getOrUndefined(base), cap: Option.getOrUndefined(cap) })
}

/**
 * The settings that operators may give, over those of the program. What gives them back throws a `RangeError` for delays out
 * of range, as whoever makes the policy does for the others.
 */
export const settings = (prefix: string, defaults: Options): Config.Config<() => Options> =>
  Config.map(Config.all([over(prefix, readers, defaults), delays(prefix)]), ([read, bounds]) => () => {
    // What is read is one of `Options`, by the type of `readers`. A group may lack what it needs: that is refused later.
    const options = (read ?? defaults) as Options
    if (bounds === undefined) return options
    const schedule = within("retry", () => Retry.fullJitter(bounds))
    // As above, of the group.
    return { ...options, retry: { ...options.retry, schedule } as Retry.Options }
  })
