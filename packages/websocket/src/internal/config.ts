/**
 * Options from a `ConfigProvider`.
 *
 * @internal
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

export const configError = (message: string): Config.ConfigError =>
  new Config.ConfigError(new ConfigProvider.SourceError({ message }))

/** `Config.unwrap` takes every key for a config, also one that is there and undefined. */
const withoutUndefined = <A>(wrapped: A): A => {
  if (Config.isConfig(wrapped) || !Predicate.isObject(wrapped)) return wrapped
  const entries = Object.entries(wrapped).filter(([, value]) => value !== undefined)
  // The same keys, but for those that held nothing.
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutUndefined(value)])) as A
}

/** Reads the options and makes what they are for; what that throws becomes a `ConfigError`. */
export const readOptions = <Options, A, E, R>(
  wrapped: Config.Wrap<Options>,
  make: (options: Options) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | Config.ConfigError, R> =>
  Effect.gen(function*() {
    const options = yield* Config.unwrap<Options>(withoutUndefined(wrapped))
    return yield* yield* Effect.try({
      try: () => make(options),
      catch: (error) =>
        configError(error instanceof RangeError ? error.message : "WebSocket: the options are not valid")
    })
  })
