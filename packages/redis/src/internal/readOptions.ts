/**
 * Options from a `ConfigProvider`, with what only `layerConfig` reads: the named environment variables and the profile.
 *
 * @internal
 */
import * as ConfigOptions from "@breakwater/core/ConfigOptions"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type { FromEnvironment, Options } from "./settings.ts"

type Given = ConfigOptions.OptionalUrl<ConfigOptions.OptionalName<Options>>

export interface Read {
  readonly options: Options
  readonly environment: FromEnvironment
}

const environment: Effect.Effect<FromEnvironment, Config.ConfigError> = Effect.all({
  maxConnections: ConfigOptions.whole("REDIS_MAX_CONNECTIONS", 2),
  connectTimeout: ConfigOptions.seconds("REDIS_CONNECT_TIMEOUT"),
  socketTimeout: ConfigOptions.seconds("REDIS_SOCKET_TIMEOUT")
})

export const readOptions = (
  wrapped: ConfigOptions.Wrap<Given>,
  name: string | undefined
): Effect.Effect<Read, Config.ConfigError> =>
  Effect.gen(function*() {
    const options = yield* ConfigOptions.readWithUrl<Given>("redis", "REDIS_URL", wrapped, name)
    return {
      options: { ...options, replicas: yield* ConfigOptions.replicas("redis", options) },
      environment: yield* environment
    }
  })
