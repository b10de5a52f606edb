/** The guides' values: of each environment, and of the variables. */
import { Backends, Health, type Profile } from "@breakwater/core"
import { Redis } from "@breakwater/redis"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Layer, Logger, Redacted, Result } from "effect"
import { readOptions } from "../src/internal/readOptions.ts"
import { type FromEnvironment, resolve } from "../src/internal/settings.ts"
import * as Url from "../src/internal/url.ts"

const base = "redis://cache"

interface Values {
  readonly size: ReadonlyArray<number | undefined>
  readonly times: ReadonlyArray<number>
  readonly start: string
  /** Seconds; without one, that of core. */
  readonly idle?: number
}

/** Sizes, and times in seconds. */
const valuesOf = (options: Redis.Options, environment?: FromEnvironment): Values => {
  const { dialTimeout, max, pool, shared, timeout } = resolve(
    options,
    Result.getOrThrow(Url.parse(options.url)),
    environment
  )
  const idle = pool.lifetime?.idle
  return {
    size: [shared, pool.size.keep, max],
    times: [dialTimeout, timeout].map(Duration.toSeconds),
    start: pool.start ?? "background",
    ...(idle === undefined ? {} : { idle: Duration.toSeconds(idle) })
  }
}

const values = (max: number): Values => ({ size: [Math.min(2, max - 1), max, max], times: [5, 5], start: "background" })

const read = (variables: Record<string, string>) =>
  Effect.map(
    Effect.provideService(
      readOptions({}, "cache"),
      ConfigProvider.ConfigProvider,
      ConfigProvider.fromUnknown({ REDIS_URL: base, ...variables })
    ),
    ({ environment, options }) => valuesOf(options, environment)
  )

const profiles: ReadonlyArray<readonly [Profile.Profile | undefined, Values]> = [
  [undefined, values(50)],
  ["development", values(10)],
  ["staging", values(30)],
  ["production", values(100)],
  ["serverless", { ...values(2), start: "lazy", idle: 10 }]
]

describe("The profile", () => {
  it.each(profiles)("has these values where nobody says otherwise: %s", (profile, expected) => {
    assert.deepStrictEqual(valuesOf({ name: "cache", url: Redacted.make(base), profile }), expected)
  })

  it("is refused where there is no such, by the call", () => {
    const options = { name: "cache", url: Redacted.make(base), profile: "prod" }
    // As a program in JavaScript may give it.
    assert.throws(() => Redis.make(options as Redis.Options), RangeError, "Option \"profile\" is \"prod\"")
  })

  it.live("is in the ready line, and in what health says", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>((entry) =>
        void lines.push(String(Logger.formatStructured.log(entry).message))
      )
      const variables = { REDIS_URL: "redis://127.0.0.1:1", BREAKWATER_PROFILE: "serverless" }
      const layer = Redis.layerConfig({ name: Config.succeed("cache"), poolType: Config.succeed("eu-west") })
      const { backends } = yield* Effect.andThen(Layer.build(layer), Health.check()).pipe(
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(variables))),
        Effect.provide(Logger.layer([logger])),
        Backends.isolated
      )
      assert.strictEqual(backends["cache"]?.profile, "serverless")
      assert.includeMembers(lines[0]?.split(" ") ?? [], [
        "max=2",
        "shared=1",
        "start=lazy",
        "profile=serverless",
        "pool_type=eu-west"
      ])
    }))
})

const environments: ReadonlyArray<readonly [Record<string, string>, Values]> = [
  [{}, values(50)],
  [{ ENVIRONMENT: "development" }, values(10)],
  [{ ENVIRONMENT: "staging" }, values(30)],
  [{ NODE_ENV: "production" }, values(100)],
  [{ REDIS_MAX_CONNECTIONS: "7" }, values(7)],
  [{ REDIS_MAX_CONNECTIONS: "7", ENVIRONMENT: "production" }, values(7)],
  [{ REDIS_CONNECT_TIMEOUT: "2.5" }, { ...values(50), times: [2.5, 5] }],
  [{ REDIS_SOCKET_TIMEOUT: "1.5" }, { ...values(50), times: [5, 1.5] }],
  [{ REDIS_URL: "redis://cache?max_connections=9", ENVIRONMENT: "production" }, values(9)],
  [{ REDIS_URL: "redis://cache?max_connections=9", REDIS_MAX_CONNECTIONS: "8" }, values(8)]
]

describe("The variables of the environment", () => {
  it.effect.each(environments)("are read by layerConfig: %j", ([variables, expected]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read(variables), expected)
    }))
})
