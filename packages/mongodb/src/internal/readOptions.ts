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
  maxPoolSize: ConfigOptions.whole("MONGODB_MAX_POOL_SIZE", 1),
  minPoolSize: ConfigOptions.whole("MONGODB_MIN_POOL_SIZE", 0)
})

export const readOptions = (
  wrapped: ConfigOptions.Wrap<Given>,
  name: string | undefined
): Effect.Effect<Read, Config.ConfigError> =>
  Effect.all({ options: ConfigOptions.readWithUrl<Given>("mongodb", "MONGODB_URL", wrapped, name), environment })
