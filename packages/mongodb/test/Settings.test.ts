import { Backends } from "@breakwater/core"
import { Mongo } from "@breakwater/mongodb"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Effect, Exit, Layer, Logger, Redacted, Result } from "effect"
import { resolve } from "../src/internal/settings.ts"
import * as Url from "../src/internal/url.ts"

const settings = (parameters = "", options: Partial<Mongo.Options> = {}, scheme = "mongodb") => {
  const url = Redacted.make(`${scheme}://app:s3cret@db/shop${parameters}`)
  return resolve({ name: "shop", url, ...options }, Result.getOrThrow(Url.parse(url)))
}

const read = (environment: Record<string, string>, options: Mongo.WrappedOptions) => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>((entry) => void lines.push(Logger.formatLogFmt.log(entry)))
  return Effect.map(
    Effect.exit(Backends.isolated(Effect.scoped(Layer.build(Mongo.layerConfig(options))))).pipe(
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment))),
      Effect.provide(Logger.layer([logger]))
    ),
    (exit) => ({ exit, lines })
  )
}

const lazy = { name: Config.succeed("shop"), pool: { start: Config.succeed("lazy" as const) } }

describe("Settings", () => {
  it("have the guide's defaults", () => {
    const { driver, max, maxWaiting, min, warnings } = settings()
    assert.deepStrictEqual([min, max, maxWaiting], [5, 50, 250])
    const { compressors, ...others } = driver
    assert.deepStrictEqual(others, {
      minPoolSize: 5,
      maxPoolSize: 50,
      maxConnecting: 2,
      maxIdleTimeMS: 120_000,
      waitQueueTimeoutMS: 10_000,
      serverSelectionTimeoutMS: 5000,
      connectTimeoutMS: 10_000,
      socketTimeoutMS: 30_000,
      heartbeatFrequencyMS: 10_000,
      minHeartbeatFrequencyMS: 500,
      zlibCompressionLevel: 6,
      readPreference: "primary",
      retryReads: false,
      retryWrites: false,
      tls: false,
      appName: "shop"
    })
    assert.include(compressors ?? [], "zlib")
    assert.deepStrictEqual(warnings, [])
  })

  it("call a pool a replica that reads from secondaries, unless an option says what it is", () => {
    const typeOf = (preference: string, options?: Partial<Mongo.Options>) =>
      settings(`?readPreference=${preference}`, options).poolType
    for (const one of ["primary", "primaryPreferred", "nearest"]) assert.strictEqual(typeOf(one), "primary", one)
    for (const one of ["secondary", "secondaryPreferred"]) assert.strictEqual(typeOf(one), "replica", one)
    assert.strictEqual(typeOf("secondary", { poolType: "eu-west" }), "eu-west")
  })

  it("follow the profile", () => {
    const sizes = (profile: Mongo.Options["profile"]) => {
      const { max, min } = settings("", { profile })
      return [min, max]
    }
    assert.deepStrictEqual([sizes("development"), sizes("staging"), sizes("production")], [[2, 20], [5, 50], [10, 100]])
  })

  it("take options before the environment, that before the URL, and warn with both names", () => {
    const url = Redacted.make("mongodb://db/?maxPoolSize=7&minPoolSize=3")
    const given = { name: "shop", url, pool: { size: { max: 9 } } }
    const { max, min, warnings } = resolve(given, Result.getOrThrow(Url.parse(url)), { maxPoolSize: 8, minPoolSize: 4 })
    assert.deepStrictEqual([min, max], [4, 9])
    assert.deepStrictEqual(warnings, [
      "the option pool.size.max (9) and MONGODB_MAX_POOL_SIZE (8) differ; the option pool.size.max counts",
      "the option pool.size.max (9) and the URL's maxPoolSize (7) differ; the option pool.size.max counts",
      "MONGODB_MIN_POOL_SIZE (4) and the URL's minPoolSize (3) differ; MONGODB_MIN_POOL_SIZE counts"
    ])
  })

  it("let a default minimum follow a smaller maximum, and refuse one that was asked for", () => {
    assert.strictEqual(settings("", { pool: { size: { max: 2 } } }).min, 2)
    assert.throws(() => settings("", { pool: { size: { min: 3, max: 2 } } }), RangeError, /"pool\.size\.min" is 3/)
  })

  it("bound those who wait by the URL's waitQueueMultiple, which the driver never sees", () => {
    const { maxWaiting, uri } = settings("?waitQueueMultiple=2&maxPoolSize=10")
    assert.strictEqual(maxWaiting, 20)
    assert.notInclude(Redacted.value(uri), "waitQueueMultiple")
  })

  it("take out maxStalenessSeconds with the primary, and have a default for it with others", () => {
    const { driver, warnings } = settings("?maxStalenessSeconds=200")
    assert.isUndefined(driver.maxStalenessSeconds)
    assert.strictEqual(warnings.length, 1)
    assert.strictEqual(settings("?readPreference=nearest").driver.maxStalenessSeconds, 120)
  })

  it("leave out compressors that cannot be loaded, with a word where they were asked for", () => {
    const { driver, warnings } = settings("?compressors=lz4,zlib")
    assert.deepStrictEqual(driver.compressors, ["zlib"])
    assert.deepStrictEqual(warnings, ["compressors lz4 cannot be loaded here and are left out"])
    assert.deepStrictEqual(settings("?compressors=none").driver.compressors, [])
  })

  it("use TLS where the URL says so, and for mongodb+srv", () => {
    assert.isTrue(settings("?ssl=true").driver.tls)
    assert.isTrue(settings("?tls=true").driver.tls)
    assert.isTrue(settings("", {}, "mongodb+srv").driver.tls)
    assert.isFalse(settings("?tls=false", {}, "mongodb+srv").driver.tls)
  })

  it("warn where the driver is asked to repeat by itself", () => {
    const { driver, warnings } = settings("?retryWrites=true")
    assert.deepStrictEqual([driver.retryWrites, driver.retryReads, warnings.length], [true, false, 1])
  })

  it("refuse what is out of range by the call, with the name, the value and what is allowed", () => {
    const url = Redacted.make("mongodb://app:s3cret@db")
    const cases: ReadonlyArray<readonly [Partial<Mongo.Options>, string]> = [
      [{ pool: { size: { max: 0 } } }, "\"pool.size.max\" is 0; allowed is a whole number of 1 or more"],
      [{ pool: { wait: { timeout: "Infinity" } } }, "pool.wait.timeout"],
      [{ pool: { wait: { maxWaiting: -1 } } }, "\"pool.wait.maxWaiting\" is -1"],
      [{ driver: { heartbeat: { every: "1 milli" } } }, "driver.heartbeat.every"],
      [{ driver: { read: { maxStaleness: "1 second" } } }, "driver.read.maxStaleness"],
      [{ driver: { tlsCAFile: "/ca.pem" } }, "driver.tlsCAFile"],
      [{ policy: { timeout: "5 seconds", deadline: "5 seconds" } }, "policy.timeout"],
      [{ name: "" }, "\"name\" is \"\""]
    ]
    for (const [options, message] of cases) {
      assert.throws(() => Mongo.make({ name: "shop", url, ...options }), RangeError, message)
    }
  })

  it.live("come from variables with layerConfig", () =>
    Effect.gen(function*() {
      const variables = { MONGODB_URL: "mongodb://db/shop", MONGODB_MAX_POOL_SIZE: "8", ENVIRONMENT: "production" }
      const { exit, lines } = yield* read(variables, lazy)
      assert.isTrue(Exit.isSuccess(exit))
      assert.include(lines.join("\n"), "mongodb \\\"shop\\\" at db ready: max=8 min=8 ")
    }))

  it.live("fail as ConfigError without a URL, with a wrong one, and with a size that is none", () =>
    Effect.gen(function*() {
      for (
        const variables of [
          {},
          { MONGODB_URL: "mongodb://app:s3cret/x@db" },
          { MONGODB_URL: "mongodb://db/shop?directConnection=perhaps" },
          { MONGODB_URL: "mongodb://db/shop", MONGODB_MAX_POOL_SIZE: "0" }
        ]
      ) {
        const { exit } = yield* read(variables, lazy)
        if (Exit.isSuccess(exit)) return assert.fail("it is allowed")
        assert.include(Cause.pretty(exit.cause), "ConfigError")
        assert.notInclude(Cause.pretty(exit.cause), "s3cret")
      }
    }))
})
