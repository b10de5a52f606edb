/** A storefront in this process, whose backends can be broken. */
import { FaultProxy, PostgresServer, RedisServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { ConfigProvider, Context, Effect, Layer, Redacted } from "effect"
import { HttpServer } from "effect/http"
import { Database } from "../Database.ts"
import { Watchers } from "../Feed.ts"
import * as Storefront from "../Storefront.ts"
import * as Neighbours from "../storm/Neighbours.ts"
import { type Client, client, until } from "./support.ts"

export class Shop extends Context.Service<Shop, {
  readonly url: string
  readonly address: FaultProxy.Address
  readonly http: Client
  /** In front of Postgres. */
  readonly proxy: FaultProxy.FaultProxy
  readonly database: Database["Service"]
  readonly watchers: Watchers["Service"]
  readonly neighbours: Neighbours.Neighbours
}>()("test/Shop") {}

const make = (redisUrl: string | undefined) =>
  Layer.unwrap(Effect.gen(function*() {
    const server = yield* PostgresServer.PostgresServer
    const proxy = yield* FaultProxy.make({ target: server })
    const database = new URL(Redacted.value(server.url))
    database.host = `${proxy.host}:${proxy.port}`
    const around = yield* Neighbours.make
    const config = ConfigProvider.fromUnknown({
      ...around.env,
      ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
      DATABASE_URL: database.href,
      PORT: "0"
    })
    return Layer.effect(
      Shop,
      Effect.gen(function*() {
        const { address } = yield* HttpServer.HttpServer
        const url = HttpServer.formatAddress(address)
        const http = client(url)
        yield* until(http.get("/health/ready"), ({ status }) => status === 200)
        return {
          url,
          address: { host: "127.0.0.1", port: Number(new URL(url).port) },
          http,
          proxy,
          database: yield* Database,
          watchers: yield* Watchers,
          neighbours: around
        }
      })
    ).pipe(Layer.provide(Storefront.layer), Layer.provide(ConfigProvider.layer(config)))
  })).pipe(Layer.provide(TestPostgres.layer))

export const layer = make(undefined)

/** With a cache on the given Redis. */
export const layerCached = Layer.unwrap(
  Effect.map(RedisServer.RedisServer, ({ url }) => make(Redacted.value(url)))
)
