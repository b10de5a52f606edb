/** The guides' values: of each environment, of their URLs, and of SQLAlchemy's options in ours. */
import { Backends, Health, Profile } from "@breakwater/core"
import { Postgres } from "@breakwater/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Layer, Logger, Redacted, Result } from "effect"
import { readOptions } from "../src/internal/readOptions.ts"
import { resolve } from "../src/internal/settings.ts"
import * as Url from "../src/internal/url.ts"

const base = "postgres://app@db/shop"

interface Values {
  readonly size: ReadonlyArray<number>
  readonly times: ReadonlyArray<number>
  readonly start: string
  /** Seconds; without one, that of core. */
  readonly idle?: number
  /** The same. */
  readonly lifetime?: number
}

/** Size, and times in seconds. */
const valuesOf = (parameters: string, options: Partial<Postgres.Options> = {}): Values => {
  const url = Redacted.make(`${base}${parameters}`)
  const settings = resolve({ name: "orders", url, ...options }, Result.getOrThrow(Url.parse(url)))
  const { keep, max, min = 0 } = settings.pool.size
  const times = [settings.waitTimeout, settings.dialTimeout, settings.timeout ?? Duration.zero].map(Duration.toSeconds)
  const { idle, max: lifetime } = settings.pool.lifetime ?? {}
  return {
    size: [min, keep ?? max, max],
    times,
    start: settings.pool.start ?? "background",
    ...(idle === undefined ? {} : { idle: Duration.toSeconds(idle) }),
    ...(lifetime === undefined ? {} : { lifetime: Duration.toSeconds(lifetime) })
  }
}

const values = (max: number, wait: number, dial: number, timeout = 30): Values => ({
  size: [0, max, max],
  times: [wait, dial, timeout],
  start: "background"
})

const profiles: ReadonlyArray<readonly [Profile.Profile | undefined, Values]> = [
  [undefined, values(10, 10, 5)],
  ["development", values(10, 10, 5)],
  ["staging", values(30, 15, 10)],
  ["production", values(50, 20, 10)],
  ["serverless", { ...values(2, 10, 5), start: "lazy", idle: 10 }]
]

describe("The profile", () => {
  it.each(profiles)("has these values where nobody says otherwise: %s", (profile, expected) => {
    assert.deepStrictEqual(valuesOf("", { profile }), expected)
  })

  it("is beaten by the URL, and that by the options", () => {
    const url = "?connection_limit=7&pool_timeout=3&connect_timeout=2&socket_timeout=9"
    assert.deepStrictEqual(valuesOf(url, { profile: "production" }), values(7, 3, 2, 9))
    const pool = {
      size: { max: 8 },
      wait: { timeout: "4 seconds" },
      dial: { timeout: "1 second" },
      start: "lazy",
      lifetime: { idle: "20 seconds" }
    } as const
    assert.deepStrictEqual(valuesOf(url, { profile: "serverless", pool, policy: { timeout: "8 seconds" } }), {
      ...values(8, 4, 1, 8),
      start: "lazy",
      idle: 20
    })
    assert.strictEqual(valuesOf("", { profile: "serverless", pool: { start: "background" } }).start, "background")
  })

  it("is refused where there is no such, by the call", () => {
    const options = { name: "orders", url: Redacted.make(base), profile: "prod" }
    // As a program in JavaScript may give it.
    assert.throws(() => Postgres.make(options as Postgres.Options), RangeError, "Option \"profile\" is \"prod\"")
  })

  it.effect.each(["BREAKWATER_PROFILE", "ENVIRONMENT", "NODE_ENV"])(
    "is read by layerConfig from %s",
    (variable) =>
      Effect.gen(function*() {
        for (const profile of Profile.profiles) {
          const read = readOptions({}, "orders").pipe(
            Effect.provideService(
              ConfigProvider.ConfigProvider,
              ConfigProvider.fromUnknown({ DATABASE_URL: base, [variable]: profile })
            )
          )
          const { url, ...options } = yield* read
          assert.strictEqual(Redacted.value(url), base)
          assert.deepStrictEqual(options, { name: "orders", profile, replicas: undefined })
        }
      })
  )

  it.live("is in the ready line, and in what health says", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>((entry) =>
        void lines.push(String(Logger.formatStructured.log(entry).message))
      )
      const variables = {
        DATABASE_URL: "postgres://app@127.0.0.1:1/shop?target_session_attrs=standby",
        ENVIRONMENT: "serverless"
      }
      const layer = Postgres.layerConfig({ name: Config.succeed("orders") })
      const { backends } = yield* Effect.andThen(Layer.build(layer), Health.check()).pipe(
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(variables))),
        Effect.provide(Logger.layer([logger])),
        Backends.isolated
      )
      assert.strictEqual(backends["orders"]?.profile, "serverless")
      assert.includeMembers(lines[0]?.split(" ") ?? [], [
        "min=0",
        "max=2",
        "start=lazy",
        "profile=serverless",
        "pool_type=replica"
      ])
    }))
})

describe("The guides' URLs", () => {
  it.each([
    ["development", "connection_limit=10&pool_timeout=10", values(10, 10, 5)],
    ["production", "connection_limit=50&pool_timeout=20&connect_timeout=10&socket_timeout=30", values(50, 20, 10)],
    ["small", "connection_limit=10&pool_timeout=10", values(10, 10, 5)],
    ["medium", "connection_limit=30&pool_timeout=15&connect_timeout=10", values(30, 15, 10)],
    ["large", "connection_limit=100&pool_timeout=20&connect_timeout=10&socket_timeout=30", values(100, 20, 10)],
    ["per microservice", "connection_limit=20&pool_timeout=15", values(20, 15, 5)],
    ["low load", "connection_limit=20", values(20, 10, 5)],
    ["low load, its upper end", "connection_limit=30", values(30, 10, 5)],
    ["high load", "connection_limit=50&pool_timeout=20", values(50, 20, 5)],
    ["very large", "connection_limit=150", values(150, 10, 5)],
    ["long operations", "pool_timeout=30", values(10, 30, 5)],
    ["a far or slow network", "connect_timeout=15", values(10, 10, 15)],
    ["a very far one", "connect_timeout=30", values(10, 10, 30)],
    ["exports", "socket_timeout=60", values(10, 10, 5, 60)],
    ["reports", "socket_timeout=120", values(10, 10, 5, 120)],
    ["no bound of a statement, where the deadline stays", "socket_timeout=0", values(10, 10, 5, 0)]
  ])("mean what they meant there: %s", (_, parameters, expected) => {
    assert.deepStrictEqual(valuesOf(`?${parameters}`), expected)
  })

  it.each([
    ["development", { pool: 5, overflow: 10, timeout: 30, recycle: 1800 }],
    ["production, low load", { pool: 10, overflow: 20, timeout: 30, recycle: 1800 }],
    ["production, low load, its upper end", { pool: 15, overflow: 20, timeout: 60, recycle: 3600 }],
    ["production, high load", { pool: 20, overflow: 20, timeout: 60, recycle: 1800 }],
    ["production, high load, its upper end", { pool: 50, overflow: 50, timeout: 120, recycle: 1800 }]
  ])(
    "have a counterpart for pool_size, max_overflow, pool_timeout and pool_recycle: %s",
    (_, { overflow, pool, recycle, timeout }) => {
      const max = pool + overflow
      const options = {
        pool: {
          size: { min: pool, keep: pool, max },
          wait: { timeout: Duration.seconds(timeout) },
          lifetime: { max: Duration.seconds(recycle) }
        }
      }
      const { lifetime, size, times } = valuesOf("", options)
      assert.deepStrictEqual([size, times[0], lifetime], [[pool, pool, max], timeout, recycle])
    }
  )
})
