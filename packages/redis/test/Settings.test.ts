import { Backends } from "@breakwater/core"
import { Redis } from "@breakwater/redis"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Layer, Logger, Redacted, Result } from "effect"
import { type FromEnvironment, resolve } from "../src/internal/settings.ts"
import * as Url from "../src/internal/url.ts"

const settings = (parameters: string, options: Partial<Redis.Options> = {}, environment?: FromEnvironment) => {
  const url = Redacted.make(`redis://app:s3cret@cache${parameters}`)
  return resolve({ name: "cache", url, ...options }, Result.getOrThrow(Url.parse(url)), environment)
}

const millis = Duration.toMillis

describe("Settings", () => {
  it("have the guides' values as defaults", () => {
    const { deadline, dialTimeout, interval, max, server, shared, timeout, tls, waitTimeout } = settings("")
    assert.deepStrictEqual([max, shared], [50, 2])
    assert.deepStrictEqual([dialTimeout, timeout, interval].map(millis), [5000, 5000, 30_000])
    assert.deepStrictEqual([waitTimeout, deadline].map(millis), [10_000, 15_000])
    assert.include(server, { host: "cache", port: 6379, database: 0 })
    assert.isUndefined(tls)
  })

  it("follow the option, then the environment, then the URL, then the profile", () => {
    const url = "?max_connections=20&connect_timeout=3&socket_timeout=4"
    const environment = { maxConnections: 30, connectTimeout: 2000, socketTimeout: 1000 }
    assert.strictEqual(settings("", { profile: "production" }).max, 100)
    assert.strictEqual(settings(url, { profile: "production" }).max, 20)
    const read = settings(url, { profile: "production" }, environment)
    assert.deepStrictEqual([read.max, millis(read.dialTimeout), millis(read.timeout)], [30, 2000, 1000])
    const given = settings(url, { connections: { max: 5 }, policy: { timeout: "2 seconds" } }, environment)
    assert.deepStrictEqual([given.max, millis(given.timeout)], [5, 2000])
  })

  it("warn of each source that says something else than the one that counts", () => {
    const { warnings } = settings("?max_connections=20&socket_timeout=2", {
      connections: { max: 5 },
      policy: { timeout: "2 seconds" }
    }, { maxConnections: 30 })
    assert.deepStrictEqual(warnings, [
      "the option connections.max (5) and REDIS_MAX_CONNECTIONS (30) differ; the option connections.max counts",
      "the option connections.max (5) and the URL's max_connections (20) differ; the option connections.max counts"
    ])
  })

  it("turn TLS on with a checked certificate, for the host's name", () => {
    assert.deepStrictEqual(settings("?ssl=true").tls, { rejectUnauthorized: true, servername: "cache" })
    assert.deepStrictEqual(settings("", { tls: { ca: "PEM" } }).tls, {
      rejectUnauthorized: true,
      servername: "cache",
      ca: "PEM"
    })
  })

  it("never show a key in a warning", () => {
    const { tls, warnings } = settings("?ssl=false", { tls: { key: "s3cret" } })
    assert.isDefined(tls)
    assert.strictEqual(warnings.length, 1)
    assert.notInclude(warnings.join(), "s3cret")
  })

  it("leave one connection that is not shared, and let a longer timeout move the deadline", () => {
    assert.strictEqual(settings("", { connections: { max: 2 } }).shared, 1)
    assert.strictEqual(millis(settings("?socket_timeout=20").deadline), 60_000)
    const short = settings("", { policy: { deadline: "1 second" } })
    assert.isBelow(millis(short.timeout), 1000)
  })

  it("give the server a name that it allows", () => {
    assert.strictEqual(settings("", { name: "my cache" }).clientName, "my-cache")
  })
})

describe("Options of code", () => {
  const url = Redacted.make("redis://cache")
  const wrong: ReadonlyArray<readonly [string, Omit<Redis.Options, "url">]> = [
    ["name", { name: "" }],
    ["connections.max", { name: "cache", connections: { max: 1 } }],
    ["connections.shared", { name: "cache", connections: { max: 3, shared: 3 } }],
    ["connections.keep", { name: "cache", connections: { keep: 1 } }],
    ["pool.wait.timeout", { name: "cache", pool: { wait: { timeout: 0 } } }],
    ["pool.wait.maxWaiting", { name: "cache", pool: { wait: { maxWaiting: 0 } } }],
    ["pool.dial.timeout", { name: "cache", pool: { dial: { timeout: Infinity } } }],
    ["pool.dial.concurrency", { name: "cache", pool: { dial: { concurrency: 0 } } }],
    ["pool.check.interval", { name: "cache", pool: { check: { interval: 0 } } }],
    ["policy.timeout", { name: "cache", policy: { timeout: 0 } }],
    ["policy.timeout", { name: "cache", policy: { deadline: "1 second", timeout: "2 seconds" } }],
    ["policy.retry.times", { name: "cache", policy: { retry: { times: -1 } } }],
    ["policy.breaker.failureRate", { name: "cache", policy: { breaker: { failureRate: 2 } } }]
  ]
  for (const [option, options] of wrong) {
    it(`throw a RangeError that names ${option}, by the call`, () => {
      for (const call of [Redis.make, Redis.layer]) {
        assert.throws(() => call({ ...options, url }), RangeError, `Option "${option}" is`)
      }
    })
  }
})

describe("What is not in code", () => {
  const failure = <A, E>(layer: Layer.Layer<A, E>, environment: Record<string, string>) =>
    Effect.scoped(Layer.build(layer)).pipe(
      Effect.flip,
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment))),
      Effect.provide(Logger.layer([])),
      Backends.isolated
    )

  const name = Config.succeed("cache")

  it.effect("fails typed: a URL in code", () =>
    Effect.gen(function*() {
      const error = yield* failure(Redis.layer({ name: "cache", url: Redacted.make("redis://cache?ssl=x") }), {})
      assert.instanceOf(error, Config.ConfigError)
    }))

  const environments: ReadonlyArray<readonly [Record<string, string>, string]> = [
    [{}, "REDIS_URL"],
    [{ REDIS_URL: "redis://cache?tls=x" }, "tls"],
    [{ REDIS_URL: "redis://cache", REDIS_MAX_CONNECTIONS: "1" }, "REDIS_MAX_CONNECTIONS is 1"],
    [{ REDIS_URL: "redis://cache", REDIS_MAX_CONNECTIONS: "many" }, "REDIS_MAX_CONNECTIONS"],
    [{ REDIS_URL: "redis://cache", REDIS_SOCKET_TIMEOUT: "0" }, "REDIS_SOCKET_TIMEOUT"],
    [{ REDIS_URL: "redis://cache", REDIS_CONNECT_TIMEOUT: "-1" }, "REDIS_CONNECT_TIMEOUT"],
    [{ REDIS_URL: "redis://cache", BREAKWATER_PROFILE: "nowhere" }, "BREAKWATER_PROFILE"]
  ]

  it.effect.each(environments)("fails typed: the environment %j", ([environment, part]) =>
    Effect.gen(function*() {
      const error = yield* failure(Redis.layerConfig({ name }), environment)
      assert.instanceOf(error, Config.ConfigError)
      assert.include(String(error), part)
    }))
})
