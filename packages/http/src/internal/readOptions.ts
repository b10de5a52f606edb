/**
 * Options from a `ConfigProvider`, with what only `layerConfig` reads: the named environment variables and the profile.
 *
 * @internal
 */
import * as Profile from "@breakwater/core/Profile"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { Options } from "./settings.ts"

/** Options of `layerConfig`: the name of a `Service` is known already. */
export type Given = Omit<Options, "name"> & { readonly name?: string | undefined }

/** `Config.unwrap` takes every key for a config, also one that is there and undefined. */
const withoutUndefined = <A>(wrapped: A): A => {
  if (Config.isConfig(wrapped) || !Predicate.isObject(wrapped)) return wrapped
  const entries = Object.entries(wrapped).filter(([, value]) => value !== undefined)
  // The same keys, but for those that held nothing.
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutUndefined(value)])) as A
}

const POOL_LIMIT = "AIOHTTP_POOL_LIMIT"
const TIMEOUT_TOTAL = "AIOHTTP_TIMEOUT_TOTAL"

/** Takes the option, or else the variable; complains where both speak and differ. */
const choose = <A>(
  name: string,
  option: string,
  given: A | undefined,
  variable: string,
  read: Option.Option<A>,
  same: (a: A, b: A) => boolean
): Effect.Effect<A | undefined> => {
  if (Option.isNone(read)) return Effect.succeed(given)
  if (given === undefined) return Effect.succeed(read.value)
  const warning = `http "${name}": the option ${option} and ${variable} differ; the option counts`
  return Effect.as(same(given, read.value) ? Effect.void : Effect.logWarning(warning), given)
}

const sameTime = (a: Duration.Input, b: Duration.Input): boolean => {
  const [first, second] = [Duration.fromInput(a), Duration.fromInput(b)]
  return Option.isSome(first) && Option.isSome(second) && Duration.equals(first.value, second.value)
}

export const readOptions = (
  wrapped: Config.Wrap<Given>,
  name: string | undefined
): Effect.Effect<Options, Config.ConfigError> =>
  Effect.gen(function*() {
    const given = yield* Config.unwrap<Given>(withoutUndefined(wrapped))
    const own = given.name ?? name ?? ""
    const limit = yield* Config.option(Config.Int(POOL_LIMIT))
    const total = yield* Config.option(Config.Number(TIMEOUT_TOTAL))
    const max = yield* choose(own, "pool.size.max", given.pool?.size?.max, POOL_LIMIT, limit, Object.is)
    const deadline = yield* choose<Duration.Input>(
      own,
      "policy.deadline",
      given.policy?.deadline,
      TIMEOUT_TOTAL,
      // The variable is in seconds, as in the client that it is named after.
      Option.map(total, (seconds) => seconds * 1000),
      sameTime
    )
    return {
      ...given,
      name: own,
      pool: { ...given.pool, size: { ...given.pool?.size, max } },
      policy: { ...given.policy, deadline },
      profile: given.profile ?? Option.getOrUndefined(yield* Profile.fromConfig)
    }
  })
