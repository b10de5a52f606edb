import { Backends } from "@breakwater/core"
import { Postgres } from "@breakwater/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Layer, Logger, Redacted, Result } from "effect"
import { resolve } from "../src/internal/settings.ts"
import * as Url from "../src/internal/url.ts"

const settings = (parameters: string, options: Partial<Postgres.Options> = {}) => {
  const url = Redacted.make(`postgres://app:s3cret@db/shop${parameters}`)
  return resolve({ name: "orders", url, ...options }, Result.getOrThrow(Url.parse(url)))
}

const millis = (input: Duration.Input | undefined) =>
  input === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(input))

describe("Settings", () => {
  it("have defaults", () => {
    const { applicationName, deadline, dialTimeout, pool, prepare, ssl, startupParameters, timeout } = settings("")
    assert.strictEqual(pool.size.max, 10)
    assert.strictEqual(millis(dialTimeout), 5000)
    assert.strictEqual(millis(timeout), 30_000)
    assert.strictEqual(millis(deadline), 60_000)
    assert.deepStrictEqual(startupParameters, { statement_timeout: "30000" })
    assert.deepStrictEqual([prepare, ssl, applicationName], [true, false, "orders"])
  })

  it("call a pool a replica whose sessions go to standbys, unless an option says what it is", () => {
    const typeOf = (role: string, options?: Partial<Postgres.Options>) =>
      settings(role === "" ? "" : `?target_session_attrs=${role}`, options).poolType
    for (const role of ["", "any", "read-write", "primary"]) assert.strictEqual(typeOf(role), "primary", role)
    for (const role of ["standby", "read-only", "prefer-standby"]) assert.strictEqual(typeOf(role), "replica", role)
    assert.strictEqual(typeOf("standby", { poolType: "eu-west" }), "eu-west")
    assert.throws(() => typeOf("", { poolType: "" }), RangeError, "Option \"poolType\"")
  })

  it("take what the URL says before the defaults", () => {
    const { dialTimeout, pool, startupParameters, timeout } = settings(
      "?connection_limit=50&pool_timeout=20&connect_timeout=10&socket_timeout=40"
    )
    assert.strictEqual(pool.size.max, 50)
    assert.strictEqual(millis(pool.wait?.timeout), 20_000)
    assert.strictEqual(millis(dialTimeout), 10_000)
    assert.strictEqual(millis(timeout), 40_000)
    assert.deepStrictEqual(startupParameters, { statement_timeout: "40000" })
  })

  it("take the options before the URL, and warn with both names where they differ", () => {
    const { pool, timeout, warnings } = settings("?connection_limit=50&socket_timeout=40&pool_timeout=20", {
      pool: { size: { max: 5 }, wait: { timeout: "20 seconds" } },
      policy: { timeout: "2 seconds" }
    })
    assert.strictEqual(pool.size.max, 5)
    assert.strictEqual(millis(timeout), 2000)
    assert.deepStrictEqual(warnings, [
      "the option policy.timeout (2s) and the URL's socket_timeout (40s) differ; the option policy.timeout counts",
      "the option pool.size.max (5) and the URL's connection_limit (50) differ; the option pool.size.max counts"
    ])
  })

  it("keep a deadline where socket_timeout=0 lifts the bound of an attempt, and say so", () => {
    const { deadline, startupParameters, timeout, warnings } = settings("?socket_timeout=0")
    assert.isUndefined(timeout)
    assert.strictEqual(millis(deadline), 60_000)
    assert.deepStrictEqual(startupParameters, { statement_timeout: "60000" })
    assert.strictEqual(warnings.length, 1)
  })

  it("let the deadline follow a longer timeout, and the timeout a shorter deadline", () => {
    assert.strictEqual(millis(settings("?socket_timeout=120").deadline), 240_000)
    const short = settings("", { policy: { deadline: "5 seconds" } })
    assert.isUndefined(short.timeout)
    assert.deepStrictEqual(short.startupParameters, { statement_timeout: "5000" })
  })

  it("leave prepared statements and startup parameters out behind PgBouncer", () => {
    const { prepare, startupParameters } = settings("?pgbouncer=true")
    assert.isFalse(prepare)
    assert.deepStrictEqual(startupParameters, {})
  })

  it("leave a statement timeout of the program alone", () => {
    const given = settings("", { startupParameters: { Statement_Timeout: "7", search_path: "shop" } })
    assert.deepStrictEqual(given.startupParameters, { statement_timeout: "7", search_path: "shop" })
  })

  it("find a socket by a host that begins with a slash", () => {
    assert.strictEqual(settings("?host=/run/pg&port=6000").hosts[0].path, "/run/pg/.s.PGSQL.6000")
  })

  it("never show a key in a warning", () => {
    const { warnings } = settings("?sslmode=disable", { ssl: { key: "s3cret", passphrase: "s3cret" } })
    assert.strictEqual(warnings.length, 1)
    assert.notInclude(warnings.join(), "s3cret")
  })
})

describe("Options of code", () => {
  const url = Redacted.make("postgres://db/shop")
  const wrong: ReadonlyArray<readonly [string, Omit<Postgres.Options, "url">]> = [
    ["name", { name: "" }],
    ["pool.size.max", { name: "orders", pool: { size: { max: 0 } } }],
    ["pool.size.min", { name: "orders", pool: { size: { min: 11 } } }],
    ["pool.wait.timeout", { name: "orders", pool: { wait: { timeout: 0 } } }],
    ["pool.dial.timeout", { name: "orders", pool: { dial: { timeout: Infinity } } }],
    ["policy.timeout", { name: "orders", policy: { timeout: 0 } }],
    ["policy.deadline", { name: "orders", policy: { deadline: "1 second", timeout: "2 seconds" } }],
    ["policy.retry.times", { name: "orders", policy: { retry: { times: -1 } } }]
  ]
  for (const [option, options] of wrong) {
    it(`throw a RangeError that names ${option}, by the call`, () => {
      for (const call of [Postgres.make, Postgres.layer]) {
        const error = (() => {
          try {
            call({ ...options, url })
          } catch (thrown) {
            return thrown
          }
          return undefined
        })()
        assert.instanceOf(error, RangeError)
        assert.include(error.message, option)
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

  it.effect("fails typed: a URL in code", () =>
    Effect.gen(function*() {
      const url = Redacted.make("postgres://db/shop?connection_limit=x")
      const error = yield* failure(Postgres.layer({ name: "orders", url }), {})
      assert.instanceOf(error, Config.ConfigError)
    }))

  it.effect("fails typed: DATABASE_URL, and options that are out of range", () =>
    Effect.gen(function*() {
      const name = Config.succeed("orders")
      const none = yield* failure(Postgres.layerConfig({ name }), {})
      assert.include(String(none), "DATABASE_URL")
      const bad = yield* failure(Postgres.layerConfig({ name }), { DATABASE_URL: "postgres://db/shop?sslmode=x" })
      assert.include(String(bad), "sslmode")
      const max = Postgres.layerConfig({ name, pool: { size: { max: Config.Int("MAX") } } })
      const range = yield* failure(max, { DATABASE_URL: "postgres://db/shop", MAX: "0" })
      assert.instanceOf(range, Config.ConfigError)
      assert.include(String(range), "size.max")
    }))

  it.effect("warns when the option url and DATABASE_URL differ, and shows neither", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>((entry) => void lines.push(Logger.formatJson.log(entry)))
      const url = Config.succeed(Redacted.make("postgres://app:s3cret@db/shop"))
      yield* Effect.scoped(Layer.build(Postgres.layerConfig({ name: Config.succeed("orders"), url }))).pipe(
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ DATABASE_URL: "postgres://a:s3cret@b/c" }))),
        Effect.provide(Logger.layer([logger])),
        Backends.isolated
      )
      assert.strictEqual(lines.length, 2)
      assert.include(lines[0], "DATABASE_URL")
      assert.notInclude(lines.join(), "s3cret")
    }))
})
