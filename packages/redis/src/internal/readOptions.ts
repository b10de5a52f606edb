/**
 * Options from a `ConfigProvider`, with what only `layerConfig` reads: the named environment variables and the profile.
 *
 * @internal
 */
import * as Profile from "@breakwater/core/Profile"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type { FromEnvironment, Options } from "./settings.ts"
import { configError } from "./url.ts"

type Given = Omit<Options, "name" | "url"> & {
  readonly name?: string | undefined
  readonly url?: Redacted.Redacted | undefined
}

export interface Read {
  readonly options: Options
  readonly environment: FromEnvironment
}

/** `Config.unwrap` takes every key for a config, also one that is there and undefined. */
const withoutUndefined = <A>(wrapped: A): A => {
  if (Config.isConfig(wrapped) || !Predicate.isObject(wrapped)) return wrapped
  const entries = Object.entries(wrapped).filter(([, value]) => value !== undefined)
  // The same keys, but for those that held nothing.
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutUndefined(value)])) as A
}

const seconds = (name: string): Effect.Effect<number | undefined, Config.ConfigError> =>
  Effect.flatMap(Config.option(Config.Finite(name)), (value) => {
    if (Option.isNone(value)) return Effect.undefined
    return Number.isFinite(value.value) && value.value > 0
      ? Effect.succeed(value.value * 1000)
      : Effect.fail(configError(`${name} is ${value.value}; allowed is a number of seconds above 0`))
  })

const environment: Effect.Effect<FromEnvironment, Config.ConfigError> = Effect.gen(function*() {
  return {
    maxConnections: Option.getOrUndefined(yield* Config.option(Config.Int("REDIS_MAX_CONNECTIONS"))),
    connectTimeout: yield* seconds("REDIS_CONNECT_TIMEOUT"),
    socketTimeout: yield* seconds("REDIS_SOCKET_TIMEOUT"),
    profile: Option.getOrUndefined(yield* Profile.fromConfig)
  }
})

export const readOptions = (
  wrapped: Config.Wrap<Given>,
  name: string | undefined
): Effect.Effect<Read, Config.ConfigError> =>
  Effect.gen(function*() {
    const given = yield* Config.unwrap<Given>(withoutUndefined(wrapped))
    const variable = yield* Config.option(Config.Redacted("REDIS_URL"))
    const url = given.url ?? Option.getOrUndefined(variable)
    if (url === undefined) {
      return yield* Effect.fail(configError("Redis: neither the option url nor the variable REDIS_URL is set"))
    }
    const options = { ...given, name: given.name ?? name ?? "", url }
    if (Option.isSome(variable) && Redacted.value(variable.value) !== Redacted.value(url)) {
      yield* Effect.logWarning(`redis "${options.name}": the option url and REDIS_URL differ; the option counts`)
    }
    return { options, environment: yield* environment }
  })
