import { Http } from "@breakwater/http"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Layer, Logger, Redacted, Result } from "effect"
import { readOptions } from "../src/internal/readOptions.ts"
import { resolve } from "../src/internal/settings.ts"
import * as Url from "../src/internal/url.ts"

const settings = (options: Partial<Http.Options> = {}) => resolve({ name: "payments", ...options }, [])

const read = (env: Record<string, string>, options: Http.WrappedServiceOptions = {}) =>
  readOptions(options, "payments").pipe(
    Effect.map(({ environment, options: given }) => resolve(given, [], environment)),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))),
    Effect.provide(Logger.layer([]))
  )

describe("Settings", () => {
  it("have the defaults of the guides", () => {
    const found = settings()
    assert.deepStrictEqual([found.max, found.perOrigin, found.redirects], [50, 30, 5])
    const times = [
      found.wait.timeout,
      found.connectTimeout,
      found.headersTimeout,
      found.bodyTimeout,
      found.deadline,
      found.dnsTtl,
      found.keepAlive ?? Duration.zero
    ]
    assert.deepStrictEqual(times.map(Duration.toSeconds), [5, 5, 10, 10, 60, 300, 30])
  })

  it("keep the limit per origin within a smaller total", () => {
    assert.strictEqual(settings({ pool: { size: { max: 10 } } }).perOrigin, 10)
  })

  it("take the total of the profile, and the option before it", () => {
    const maxima = (["development", "staging", "production"] as const).map((profile) => settings({ profile }).max)
    assert.deepStrictEqual(maxima, [20, 50, 100])
    assert.strictEqual(settings({ profile: "production", pool: { size: { max: 7 } } }).max, 7)
  })

  it("warn of what the guides call mistakes", () => {
    assert.strictEqual(settings({ pool: { size: { max: 10_000 } } }).warnings.length, 1)
    assert.strictEqual(settings({ policy: { deadline: "300 seconds" } }).warnings.length, 1)
    assert.deepStrictEqual(settings().warnings, [])
  })

  it("are refused by the call, with the option, the value and what is allowed", () => {
    const refusals: ReadonlyArray<[Partial<Http.Options>, RegExp]> = [
      [{ name: "" }, /^Option "name" is ""/],
      [{ pool: { size: { max: 0 } } }, /^Option "pool\.size\.max" is 0; allowed is a whole number of 1 or more\.$/],
      [{ pool: { size: { max: 5, perOrigin: 6 } } }, /^Option "pool\.size\.perOrigin" is 6; .* from 1 to 5\.$/],
      [{ pool: { wait: { timeout: 0 } } }, /^Option "pool\.wait\.timeout" is 0; allowed is a finite duration/],
      [{ pool: { keepAlive: "0 seconds" } }, /^Option "pool\.keepAlive"/],
      [{ time: { headers: Infinity } }, /^Option "time\.headers"/],
      [{ hosts: [] }, /^Option "hosts" is 0; allowed is at least one URL\.$/],
      [
        { hosts: [Redacted.make("http://a")], url: Redacted.make("http://s3cret") },
        /^Option "url" is "<redacted>"; .* hosts/
      ],
      [{ policy: { ejection: { interval: 0 } } }, /^Option "policy\.ejection\.interval" is 0/],
      [{ redirects: -1 }, /^Option "redirects" is -1/],
      [{ decompress: { max: 0 } }, /^Option "decompress\.max" is 0/],
      [{ dns: { ttl: -1 } }, /^Option "dns\.ttl" is -1/],
      [{ userAgent: "a\r\nb: c" }, /^Option "userAgent" is/],
      [{ healthPath: "health" }, /^Option "healthPath" is "health"/],
      [
        { policy: { deadline: "1 second", timeout: "1 second" } },
        /^Option "policy\.timeout" is 1s; allowed is less than/
      ],
      [{ policy: { retry: { times: -1 } } }, /^Option "policy\.retry\.times" is -1/],
      [{ policy: { breaker: { window: 0 } } }, /^Option "policy\.breaker\.window" is 0/]
    ]
    for (const [options, message] of refusals) {
      assert.throws(() => Http.make({ name: "payments", ...options }), RangeError)
      assert.throws(() => Http.layer({ name: "payments", ...options }), message)
    }
  })

  it.effect("read the guides' variables and the profile with layerConfig", () =>
    Effect.gen(function*() {
      const found = yield* read({ AIOHTTP_POOL_LIMIT: "12", AIOHTTP_TIMEOUT_TOTAL: "2.5", NODE_ENV: "production" })
      assert.deepStrictEqual([found.max, Duration.toMillis(found.deadline)], [12, 2500])
      assert.strictEqual((yield* read({ BREAKWATER_PROFILE: "development" })).max, 20)
      const given = yield* read({ AIOHTTP_POOL_LIMIT: "12" }, { pool: { size: { max: Config.succeed(8) } } })
      assert.strictEqual(given.max, 8)
    }))

  it.effect("fail as a ConfigError where a variable or a URL is wrong, and not by a throw", () =>
    Effect.gen(function*() {
      const build = (env: Record<string, string>, options: Http.WrappedOptions) =>
        Effect.flip(Effect.scoped(Layer.build(Http.layerConfig(options)))).pipe(
          Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)))
        )
      const name = Config.succeed("payments")
      assert.include((yield* build({ AIOHTTP_POOL_LIMIT: "0" }, { name })).message, "AIOHTTP_POOL_LIMIT is 0")
      assert.include((yield* build({ AIOHTTP_POOL_LIMIT: "many" }, { name })).message, "AIOHTTP_POOL_LIMIT")
      assert.include((yield* build({}, { name, url: Config.succeed(Redacted.make("ftp://x")) })).message, "protocol")
    }))
})

describe("Url", () => {
  const parse = (text: string) => Url.parse(Redacted.make(text))

  it("makes an authorization of user and password, and keeps them out of everything else", () => {
    const base = Result.getOrThrow(parse("https://us%3Aer:p%40ss@api.test:8443/v1"))
    assert.strictEqual(base.origin, "https://api.test:8443")
    assert.strictEqual(base.href, "https://api.test:8443/v1/")
    assert.strictEqual(
      base.authorization === undefined ? "" : Redacted.value(base.authorization),
      `Basic ${btoa("us:er:p@ss")}`
    )
    assert.notInclude(JSON.stringify(base), btoa("us:er:p@ss"))
  })

  it("is refused without being shown", () => {
    for (
      const text of ["s3cret", "ftp://a:s3cret@b", "http://a/?token=s3cret", "http://a/s3cret@b", "http://a:s3/cret@b"]
    ) {
      const failure = parse(text)
      assert.isTrue(Result.isFailure(failure), text)
      if (Result.isFailure(failure)) assert.notMatch(failure.failure.message, /s3|cret/)
    }
  })

  it("is several different ones of equals, with who asks from the first", () => {
    const parseAll = (...texts: ReadonlyArray<string>) => Url.parseAll(texts.map((text) => Redacted.make(text)))
    const [first, second] = Result.getOrThrow(parseAll("http://us:s3cret@a/v1", "http://b:81"))
    assert.deepStrictEqual([first?.href, second?.href], ["http://a/v1/", "http://b:81/"])
    assert.deepStrictEqual(second?.authorization, first?.authorization)
    for (const texts of [["http://a", "http://a/v2"], ["http://a", "http://us:s3cret@b"], ["http://a", "ftp://b"]]) {
      const failure = parseAll(...texts)
      assert.isTrue(Result.isFailure(failure), texts.join(" "))
      if (Result.isFailure(failure)) assert.notMatch(failure.failure.message, /s3cret/)
    }
  })
})
