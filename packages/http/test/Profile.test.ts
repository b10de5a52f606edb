/** The guides' values: of each environment, of the variables, and of the loads that the gateway's guide tells apart. */
import { Backends, Health, type Profile } from "@breakwater/core"
import { Http } from "@breakwater/http"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Layer, Logger } from "effect"
import { readOptions } from "../src/internal/readOptions.ts"
import { type FromEnvironment, resolve } from "../src/internal/settings.ts"

interface Values {
  readonly size: ReadonlyArray<number>
  readonly times: ReadonlyArray<number>
  readonly warnings: ReadonlyArray<string>
}

/** Limits, and times in seconds. */
const valuesOf = (options: Partial<Http.Options>, environment?: FromEnvironment): Values => {
  const { deadline, keepAlive, max, perOrigin, warnings } = resolve(
    { name: "payments", ...options },
    [],
    environment
  )
  const times = [deadline, keepAlive ?? Duration.zero].map(Duration.toSeconds)
  return { size: [perOrigin, max], times, warnings }
}

const values = (perOrigin: number, max: number): Values => ({ size: [perOrigin, max], times: [60, 30], warnings: [] })

const read = (variables: Record<string, string>, options: Http.WrappedServiceOptions = {}) =>
  Effect.map(
    Effect.provideService(
      readOptions(options, "payments"),
      ConfigProvider.ConfigProvider,
      ConfigProvider.fromUnknown(variables)
    ),
    (found) => valuesOf(found.options, found.environment)
  )

const profiles: ReadonlyArray<readonly [Profile.Profile | undefined, Values]> = [
  [undefined, values(30, 50)],
  ["development", values(20, 20)],
  ["staging", values(30, 50)],
  ["production", values(30, 100)],
  ["serverless", { ...values(2, 2), times: [60, 10] }]
]

describe("The profile", () => {
  it.each(profiles)("has these values where nobody says otherwise: %s", (profile, expected) => {
    assert.deepStrictEqual(valuesOf({ profile }), expected)
  })

  it("is refused where there is no such, by the call", () => {
    const options = { name: "payments", profile: "prod" }
    // As a program in JavaScript may give it.
    assert.throws(() => Http.make(options as Http.Options), RangeError, "Option \"profile\" is \"prod\"")
  })

  it.live("is in the ready line, and in what health says", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>((entry) =>
        void lines.push(String(Logger.formatStructured.log(entry).message))
      )
      const layer = Http.layerConfig({ name: Config.succeed("payments"), poolType: Config.succeed("eu-west") })
      const { backends } = yield* Effect.andThen(Layer.build(layer), Health.check()).pipe(
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ NODE_ENV: "serverless" }))),
        Effect.provide(Logger.layer([logger])),
        Backends.isolated
      )
      assert.strictEqual(backends["payments"]?.profile, "serverless")
      assert.includeMembers(lines[0]?.split(" ") ?? [], [
        "max=2",
        "per_origin=2",
        "keep_alive=10s",
        "profile=serverless",
        "pool_type=eu-west"
      ])
    }))
})

const environments: ReadonlyArray<readonly [Record<string, string>, Values]> = [
  [{}, values(30, 50)],
  [{ ENVIRONMENT: "production" }, values(30, 100)],
  [{ AIOHTTP_POOL_LIMIT: "12" }, values(12, 12)],
  [{ AIOHTTP_POOL_LIMIT: "12", ENVIRONMENT: "production" }, values(12, 12)],
  [{ AIOHTTP_TIMEOUT_TOTAL: "2.5" }, { ...values(30, 50), times: [2.5, 30] }]
]

describe("The variables of the environment", () => {
  it.effect.each(environments)("are read by layerConfig: %j", ([variables, expected]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read(variables), expected)
    }))

  it.effect("are beaten by the options, with a warning that names both", () =>
    Effect.gen(function*() {
      const { size, warnings } = yield* read({ AIOHTTP_POOL_LIMIT: "12", AIOHTTP_TIMEOUT_TOTAL: "9" }, {
        pool: { size: { max: Config.succeed(8) } },
        policy: { deadline: Config.succeed("8 seconds" as const) }
      })
      assert.deepStrictEqual(size, [8, 8])
      assert.deepStrictEqual(warnings, [
        "the option pool.size.max (8) and AIOHTTP_POOL_LIMIT (12) differ; the option pool.size.max counts",
        "the option policy.deadline (8s) and AIOHTTP_TIMEOUT_TOTAL (9s) differ; the option policy.deadline counts"
      ])
    }))
})

describe("The gateway's values", () => {
  it.each([
    ["default", 100, 30, 60, []],
    ["high load", 200, 50, 60, []],
    ["low load", 50, 10, 60, []],
    ["strict", 100, 30, 30, []],
    ["a total that is a mistake", 10_000, 30, 60, ["pool.size.max is 10000"]],
    ["a time that is a mistake", 100, 30, 300, ["policy.deadline is 5m"]]
  ])("can be set: %s", (_, max, perOrigin, total, suspicions) => {
    const found = valuesOf({ pool: { size: { max, perOrigin } }, policy: { deadline: Duration.seconds(total) } })
    assert.deepStrictEqual([found.size, found.times[0]], [[perOrigin, max], total])
    assert.deepStrictEqual(found.warnings.map((warning) => warning.split(":")[0]), suspicions)
  })
})
