/**
 * Options from a `ConfigProvider`, with what only `layerConfig` reads: the named environment variables and the profile.
 *
 * @internal
 */
import * as ConfigOptions from "@breakwater/core/ConfigOptions"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { FromEnvironment, Options } from "./settings.ts"

type Given = Omit<Options, "name" | "url"> & {
  readonly name?: string | undefined
  readonly url?: Redacted.Redacted | undefined
}

export interface Read {
  readonly options: Options
  readonly environment: FromEnvironment
}

const whole = (least: number, variable: string) =>
  ConfigOptions.variableOf(Config.schema(Schema.Int.check(Schema.isGreaterThanOrEqualTo(least)), variable))

const environment: Effect.Effect<FromEnvironment, Config.ConfigError> = Effect.all({
  maxPoolSize: whole(1, "MONGODB_MAX_POOL_SIZE"),
  minPoolSize: whole(0, "MONGODB_MIN_POOL_SIZE")
})

export const readOptions = (
  wrapped: Config.Wrap<Given>,
  name: string | undefined
): Effect.Effect<Read, Config.ConfigError> =>
  Effect.all({ options: ConfigOptions.readWithUrl<Given>("mongodb", "MONGODB_URL", wrapped, name), environment })
