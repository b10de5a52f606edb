/**
 * Options from a `ConfigProvider`, with what only `layerConfig` reads: the named environment variable and the profile.
 *
 * @internal
 */
import * as ConfigOptions from "@breakwater/core/ConfigOptions"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type { Options } from "./settings.ts"

type Given = ConfigOptions.OptionalUrl<ConfigOptions.OptionalName<Options>>

export const readOptions = (
  wrapped: ConfigOptions.Wrap<Given>,
  name: string | undefined
): Effect.Effect<Options, Config.ConfigError> =>
  Effect.gen(function*() {
    const options = yield* ConfigOptions.readWithUrl<Given>("postgres", "DATABASE_URL", wrapped, name)
    return { ...options, replicas: yield* ConfigOptions.replicas("postgres", options) }
  })
