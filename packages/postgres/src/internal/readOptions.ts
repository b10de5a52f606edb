/**
 * Options from a `ConfigProvider`, with what only `layerConfig` reads: the named environment variable.
 *
 * @internal
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type { Options } from "./settings.ts"
import { configError } from "./url.ts"

type Given = Omit<Options, "name" | "url"> & {
  readonly name?: string | undefined
  readonly url?: Redacted.Redacted | undefined
}

/** `Config.unwrap` takes every key for a config, also one that is there and undefined. */
const withoutUndefined = <A>(wrapped: A): A => {
  if (Config.isConfig(wrapped) || !Predicate.isObject(wrapped)) return wrapped
  const entries = Object.entries(wrapped).filter(([, value]) => value !== undefined)
  // The same keys, but for those that held nothing.
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutUndefined(value)])) as A
}

export const readOptions = (
  wrapped: Config.Wrap<Given>,
  name: string | undefined
): Effect.Effect<Options, Config.ConfigError> =>
  Effect.gen(function*() {
    const given = yield* Config.unwrap<Given>(withoutUndefined(wrapped))
    const variable = yield* Config.option(Config.Redacted("DATABASE_URL"))
    const url = given.url ?? (variable._tag === "Some" ? variable.value : undefined)
    if (url === undefined) {
      return yield* Effect.fail(configError("Postgres: neither the option url nor the variable DATABASE_URL is set"))
    }
    const options = { ...given, name: given.name ?? name ?? "", url }
    if (variable._tag === "Some" && Redacted.value(variable.value) !== Redacted.value(url)) {
      yield* Effect.logWarning(`postgres "${options.name}": the option url and DATABASE_URL differ; the option counts`)
    }
    return options
  })
