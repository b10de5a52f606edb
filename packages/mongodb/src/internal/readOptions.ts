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
import * as Schema from "effect/Schema"
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

const whole = (least: number, variable: string) =>
  Config.option(Config.schema(Schema.Int.check(Schema.isGreaterThanOrEqualTo(least)), variable))

export const readOptions = (
  wrapped: Config.Wrap<Given>,
  name: string | undefined
): Effect.Effect<Read, Config.ConfigError> =>
  Effect.gen(function*() {
    const given = yield* Config.unwrap<Given>(withoutUndefined(wrapped))
    const variable = yield* Config.option(Config.Redacted("MONGODB_URL"))
    const url = given.url ?? Option.getOrUndefined(variable)
    if (url === undefined) {
      return yield* Effect.fail(configError("MongoDB: neither the option url nor the variable MONGODB_URL is set"))
    }
    const profile = given.profile ?? Option.getOrUndefined(yield* Profile.fromConfig)
    const options = { ...given, name: given.name ?? name ?? "", url, profile }
    if (variable._tag === "Some" && Redacted.value(variable.value) !== Redacted.value(url)) {
      yield* Effect.logWarning(`mongodb "${options.name}": the option url and MONGODB_URL differ; the option counts`)
    }
    return {
      options,
      environment: {
        maxPoolSize: Option.getOrUndefined(yield* whole(1, "MONGODB_MAX_POOL_SIZE")),
        minPoolSize: Option.getOrUndefined(yield* whole(0, "MONGODB_MIN_POOL_SIZE"))
      }
    }
  })
