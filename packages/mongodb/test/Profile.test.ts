/** The guides' values: of each environment, and of the variables. */
import { Backends, Health, type Profile } from "@breakwater/core"
import { Mongo } from "@breakwater/mongodb"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Logger, Redacted, Result } from "effect"
import { readOptions } from "../src/internal/readOptions.ts"
import { type FromEnvironment, resolve } from "../src/internal/settings.ts"
import * as Url from "../src/internal/url.ts"

const base = "mongodb://db/shop"

interface Values {
  readonly size: ReadonlyArray<number>
  readonly maxWaiting: number
  readonly idle: number | undefined
  readonly start: string
}

const valuesOf = (options: Mongo.Options, environment?: FromEnvironment): Values => {
  const { driver, max, maxWaiting, min, start } = resolve(
    options,
    Result.getOrThrow(Url.parse(options.url)),
    environment
  )
  return { size: [min, max], maxWaiting, idle: driver.maxIdleTimeMS, start }
}

const values = (min: number, max: number): Values => ({
  size: [min, max],
  maxWaiting: 5 * max,
  idle: 120_000,
  start: "background"
})

const read = (variables: Record<string, string>) =>
  Effect.map(
    Effect.provideService(
      readOptions({}, "shop"),
      ConfigProvider.ConfigProvider,
      ConfigProvider.fromUnknown({ MONGODB_URL: base, ...variables })
    ),
    ({ environment, options }) => valuesOf(options, environment)
  )

const profiles: ReadonlyArray<readonly [Profile.Profile | undefined, Values]> = [
  [undefined, values(5, 50)],
  ["development", values(2, 20)],
  ["staging", values(5, 50)],
  ["production", values(10, 100)],
  ["serverless", { ...values(0, 2), idle: 10_000, start: "lazy" }]
]

describe("The profile", () => {
  it.each(profiles)("has these values where nobody says otherwise: %s", (profile, expected) => {
    assert.deepStrictEqual(valuesOf({ name: "shop", url: Redacted.make(base), profile }), expected)
  })

  it("is beaten by the URL, and that by the options", () => {
    const url = Redacted.make(`${base}?maxPoolSize=9&minPoolSize=1&maxIdleTimeMS=3000`)
    const profile = "serverless"
    assert.deepStrictEqual(valuesOf({ name: "shop", url, profile }), { ...values(1, 9), idle: 3000, start: "lazy" })
    const pool = { size: { min: 2, max: 8 }, lifetime: { idle: "4 seconds" }, start: "background" } as const
    assert.deepStrictEqual(valuesOf({ name: "shop", url, profile, pool }), { ...values(2, 8), idle: 4000 })
  })

  it("is refused where there is no such, by the call", () => {
    const options = { name: "shop", url: Redacted.make(base), profile: "prod" }
    // As a program in JavaScript may give it.
    assert.throws(() => Mongo.make(options as Mongo.Options), RangeError, "Option \"profile\" is \"prod\"")
  })

  it.live("is in the ready line, and in what health says", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>((entry) =>
        void lines.push(String(Logger.formatStructured.log(entry).message))
      )
      const variables = {
        MONGODB_URL: "mongodb://127.0.0.1:1/shop?readPreference=secondary",
        ENVIRONMENT: "serverless"
      }
      const layer = Mongo.layerConfig({ name: Config.succeed("shop") })
      const { backends } = yield* Effect.andThen(Layer.build(layer), Health.check()).pipe(
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(variables))),
        Effect.provide(Logger.layer([logger])),
        Backends.isolated
      )
      assert.strictEqual(backends["shop"]?.profile, "serverless")
      assert.includeMembers(lines.at(-1)?.split(" ") ?? [], [
        "min=0",
        "max=2",
        "start=lazy",
        "profile=serverless",
        "pool_type=replica"
      ])
    }))
})

const environments: ReadonlyArray<readonly [Record<string, string>, Values]> = [
  [{}, values(5, 50)],
  [{ ENVIRONMENT: "development" }, values(2, 20)],
  [{ NODE_ENV: "staging" }, values(5, 50)],
  [{ BREAKWATER_PROFILE: "production" }, values(10, 100)],
  [{ MONGODB_MAX_POOL_SIZE: "8" }, values(5, 8)],
  [{ MONGODB_MIN_POOL_SIZE: "1" }, values(1, 50)],
  [{ MONGODB_MAX_POOL_SIZE: "8", MONGODB_MIN_POOL_SIZE: "3", ENVIRONMENT: "production" }, values(3, 8)],
  [{ MONGODB_URL: `${base}?maxPoolSize=9&minPoolSize=1`, ENVIRONMENT: "production" }, values(1, 9)],
  [{ MONGODB_URL: `${base}?maxPoolSize=9`, MONGODB_MAX_POOL_SIZE: "8" }, values(5, 8)]
]

describe("The variables of the environment", () => {
  it.effect.each(environments)("are read by layerConfig: %j", ([variables, expected]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read(variables), expected)
    }))
})
