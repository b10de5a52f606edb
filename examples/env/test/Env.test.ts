/**
 * The example environments, read as a program reads them: what comes of each is the guides' row for it. And who beats
 * whom, for every backend that is told its size in more than one place.
 */
import { Backends } from "@breakwater/core"
import { Http } from "@breakwater/http"
import { Mongo } from "@breakwater/mongodb"
import { Postgres } from "@breakwater/postgres"
import { Redis } from "@breakwater/redis"
import { ConnectionManager } from "@breakwater/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Logger } from "effect"
import { readFileSync } from "node:fs"

const NOWHERE = "127.0.0.1:1"

/** With all servers at a port where none is: no name is looked up, and nobody is called. */
const contentsOf = (environment: string): string =>
  readFileSync(new URL(`../.env.${environment}`, import.meta.url), "utf8").replaceAll(
    /(?:localhost|[a-z]+\.(?:staging|internal)):\d+/g,
    NOWHERE
  )

type Facts = Readonly<Record<string, string | number>>

interface Started {
  /** The ready line of each backend, by its name. */
  readonly ready: Record<string, string>
  readonly warnings: ReadonlyArray<string>
  readonly max: Record<string, number>
}

/** Builds layers under an environment, and tells what they are once they are ready. */
const start = <E>(layer: Layer.Layer<never, E>, provider: ConfigProvider.ConfigProvider) => {
  const ready: Record<string, string> = {}
  const warnings: Array<string> = []
  const logger = Logger.make<unknown, void>((entry) => {
    const { level, message } = Logger.formatStructured.log(entry)
    const line = String(message)
    const [, backend] = /^\w+ "(.+?)" .*ready: /.exec(line) ?? []
    if (backend !== undefined) ready[backend] = line
    if (level === "WARN") warnings.push(line)
  })
  return Effect.gen(function*() {
    yield* Layer.build(layer)
    const entries = yield* Backends.list
    const max = yield* Effect.forEach(
      entries,
      ({ backend, label }) => Effect.map(backend.stats, (stats) => [label, stats.max] as const)
    )
    const started: Started = { ready, warnings: [...warnings], max: Object.fromEntries(max) }
    return started
  }).pipe(
    Effect.scoped,
    Effect.provide(ConfigProvider.layer(provider)),
    Effect.provide(Logger.layer([logger])),
    Backends.isolated
  )
}

const all = Layer.mergeAll(
  Postgres.layerConfig({ name: Config.succeed("orders") }),
  Redis.layerConfig({ name: Config.succeed("cache") }),
  Mongo.layerConfig({ name: Config.succeed("documents") }),
  Http.layerConfig({ name: Config.succeed("payments") }),
  ConnectionManager.layerConfig({ name: Config.succeed("feed") })
)

/** The guides' rows: what each ready line has to say. */
const guide: Record<string, Record<string, Facts>> = {
  development: {
    orders: { min: 0, max: 10, wait: "10s", dial: "5s", timeout: "30s", tls: "off" },
    cache: { max: 10, dial: "5s", timeout: "5s", tls: "off" },
    documents: { min: 2, max: 20, wait: "10s", max_waiting: 100, dial: "10s", tls: "off" },
    payments: { max: 20, per_origin: 20, wait: "5s", dial: "5s", keep_alive: "30s", deadline: "1m", dns: "5m" },
    feed: { max: 1000, ping_every: "1m", idle: "5m" }
  },
  staging: {
    orders: { min: 0, max: 30, wait: "15s", dial: "10s", timeout: "30s", tls: "on" },
    cache: { max: 30, dial: "5s", timeout: "5s", tls: "on" },
    documents: { min: 5, max: 50, wait: "10s", max_waiting: 250, dial: "10s", tls: "on" },
    payments: { max: 50, per_origin: 30, wait: "5s", dial: "5s", keep_alive: "30s", deadline: "1m", dns: "5m" },
    feed: { max: 1000, ping_every: "1m", idle: "5m" }
  },
  production: {
    orders: { min: 0, max: 50, wait: "20s", dial: "10s", timeout: "30s", tls: "on" },
    cache: { max: 100, dial: "5s", timeout: "5s", tls: "on" },
    documents: { min: 10, max: 100, wait: "10s", max_waiting: 500, dial: "10s", tls: "on" },
    payments: { max: 100, per_origin: 30, wait: "5s", dial: "5s", keep_alive: "30s", deadline: "1m", dns: "5m" },
    feed: { max: 1000, ping_every: "1m", idle: "5m" }
  },
  serverless: {
    orders: { min: 0, max: 2, start: "lazy", wait: "10s", dial: "5s", prepare: "off", tls: "on" },
    cache: { max: 2, start: "lazy", tls: "on" },
    documents: { min: 0, max: 2, start: "lazy", max_waiting: 10, tls: "on" },
    payments: { max: 2, per_origin: 2, keep_alive: "10s" },
    feed: { max: 1000, idle: "10s" }
  }
}

const isSet = (line: string) => /^(?:MONGODB|REDIS|AIOHTTP)_(?!URL)/.test(line)

describe("The example environments", () => {
  for (const [environment, expected] of Object.entries(guide)) {
    it.live(`give the guides' values, and nothing to warn of: ${environment}`, () =>
      Effect.gen(function*() {
        const { ready, warnings } = yield* start(all, ConfigProvider.fromDotEnvContents(contentsOf(environment)))
        assert.deepStrictEqual(Object.keys(ready).toSorted(), Object.keys(expected).toSorted())
        for (const [name, facts] of Object.entries(expected)) {
          const pairs = Object.entries({ ...facts, profile: environment }).map(([fact, value]) => `${fact}=${value}`)
          assert.includeMembers(ready[name]?.split(" ") ?? [], pairs, name)
        }
        assert.deepStrictEqual(warnings.filter((line) => line.includes("differ")), [])
      }))

    it.live(`repeat the profile where they set a variable, so that each could be left out: ${environment}`, () =>
      Effect.gen(function*() {
        const contents = contentsOf(environment)
        const few = contents.split("\n").filter((line) => !isSet(line)).join("\n")
        const [full, bare] = yield* Effect.all([
          start(all, ConfigProvider.fromDotEnvContents(contents)),
          start(all, ConfigProvider.fromDotEnvContents(few))
        ])
        assert.deepStrictEqual(bare.ready, full.ready)
      }))
  }
})

interface Ladder {
  readonly layer: (max: number | undefined) => Layer.Layer<never, unknown>
  readonly variable?: string
  readonly url?: readonly [variable: string, url: string, parameter: string]
  /** What the profile production gives, and what there is without any. */
  readonly production: number
  readonly none: number
}

const given = (max: number | undefined) => max === undefined ? {} : { max: Config.succeed(max) }
const name = Config.succeed("it")

const ladders: Record<string, Ladder> = {
  postgres: {
    layer: (max) => Postgres.layerConfig({ name, pool: { size: given(max) } }),
    url: ["DATABASE_URL", `postgres://${NOWHERE}/shop`, "connection_limit"],
    production: 50,
    none: 10
  },
  redis: {
    layer: (max) => Redis.layerConfig({ name, connections: given(max) }),
    variable: "REDIS_MAX_CONNECTIONS",
    url: ["REDIS_URL", `redis://${NOWHERE}`, "max_connections"],
    production: 100,
    none: 50
  },
  mongodb: {
    layer: (max) => Mongo.layerConfig({ name, pool: { size: given(max) } }),
    variable: "MONGODB_MAX_POOL_SIZE",
    url: ["MONGODB_URL", `mongodb://${NOWHERE}/shop`, "maxPoolSize"],
    production: 100,
    none: 50
  },
  http: {
    layer: (max) => Http.layerConfig({ name, pool: { size: given(max) } }),
    variable: "AIOHTTP_POOL_LIMIT",
    production: 100,
    none: 50
  },
  websocket: {
    layer: (max) => ConnectionManager.layerConfig({ name, connections: given(max) }),
    production: 1000,
    none: 1000
  }
}

describe("An option beats a variable, that the URL, that the profile, that the default", () => {
  for (const [kind, { layer, none, production, url, variable }] of Object.entries(ladders)) {
    it.live(kind, () =>
      Effect.gen(function*() {
        const environment: Record<string, string> = url === undefined ? {} : { [url[0]]: url[1] }
        const maxOf = (option?: number) =>
          Effect.map(start(layer(option), ConfigProvider.fromUnknown({ ...environment })), ({ max, warnings }) => ({
            max: max["it"],
            differ: warnings.filter((line) => line.includes("differ"))
          }))
        assert.deepStrictEqual(yield* maxOf(), { max: none, differ: [] })
        environment["BREAKWATER_PROFILE"] = "production"
        assert.deepStrictEqual(yield* maxOf(), { max: production, differ: [] })
        if (url !== undefined) {
          environment[url[0]] = `${url[1]}?${url[2]}=17`
          assert.deepStrictEqual(yield* maxOf(), { max: 17, differ: [] })
        }
        if (variable !== undefined) {
          environment[variable] = "16"
          const { differ, max } = yield* maxOf()
          assert.strictEqual(max, 16)
          const both = `${variable} (16) and the URL's ${url?.[2]} (17) differ; ${variable} counts`
          assert.deepStrictEqual(differ, url === undefined ? [] : [`${kind} "it": ${both}`])
        }
        const { differ, max } = yield* maxOf(15)
        assert.strictEqual(max, 15)
        const others = [variable, url && `the URL's ${url[2]}`].filter((source) => source !== undefined)
        assert.strictEqual(differ.length, others.length)
        for (const [index, other] of others.entries()) {
          assert.match(differ[index] ?? "", /^\w+ "it": the option [\w.]+ \(15\) and /)
          assert.include(differ[index], `and ${other} (`)
        }
      }))
  }
})
