/**
 * Options from a `ConfigProvider`, with what only `layerConfig` reads: the named environment variables and the profile.
 *
 * @internal
 */
import * as ConfigOptions from "@breakwater/core/ConfigOptions"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type { FromEnvironment, Options } from "./settings.ts"

/** Options of `layerConfig`: the name of a `Service` is known already. */
export type Given = ConfigOptions.OptionalName<Options>

export interface Read {
  readonly options: Options
  readonly environment: FromEnvironment
}

const environment: Effect.Effect<FromEnvironment, Config.ConfigError> = Effect.all({
  poolLimit: ConfigOptions.whole("AIOHTTP_POOL_LIMIT", 1),
  timeoutTotal: ConfigOptions.seconds("AIOHTTP_TIMEOUT_TOTAL")
})

export const readOptions = (
  wrapped: ConfigOptions.Wrap<Given>,
  name: string | undefined
): Effect.Effect<Read, Config.ConfigError> =>
  Effect.all({ options: ConfigOptions.read<Given>(wrapped, name), environment })
