/** What the manifest for a cluster gives a pod is all that the shop needs. */
import { PostgresServer, RedisServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted } from "effect"
import { HttpServer } from "effect/http"
import * as fs from "node:fs"
import * as Storefront from "../Storefront.ts"
import * as Neighbours from "../storm/Neighbours.ts"
import { client, until } from "./support.ts"

const manifest = fs.readFileSync(
  new URL("../../../docs/deploy/kubernetes/storefront.yml", import.meta.url),
  "utf8"
)

/** The variables of its one container, each with its value or, where that is a secret, without. */
const given = [...manifest.matchAll(/^ {12}- name: (\w+)\n {14}(?:value: "?([^"\n]*)"?|valueFrom:)$/gm)].map((
  [, name = "", value]
) => ({ name, value }))

/** What is another here than in a cluster. */
const replacements = Effect.gen(function*() {
  const postgres = yield* PostgresServer.PostgresServer
  const redis = yield* RedisServer.RedisServer
  const { env } = yield* Neighbours.make
  return new Map(Object.entries({
    ...env,
    DATABASE_URL: Redacted.value(postgres.url),
    REDIS_URL: Redacted.value(redis.url),
    OPS_TOKEN: "a-token-of-the-tests-own",
    HOST: "127.0.0.1",
    PORT: "0"
  }))
})

const ownRedis = RedisServer.layer({ sources: RedisServer.ownSources })

describe.skipIf(!TestPostgres.available || !TestRedis.ownAvailable)("the manifest for a cluster", () => {
  layer(Layer.mergeAll(TestPostgres.layer, ownRedis), { excludeTestServices: true })((it) => {
    it.effect("gives the shop all that it needs to be ready", () =>
      Effect.gen(function*() {
        const here = yield* replacements
        const env: Record<string, string> = {}
        for (const { name, value } of given) env[name] = here.get(name) ?? value ?? assert.fail(`no ${name} here`)
        yield* Effect.gen(function*() {
          const { address } = yield* HttpServer.HttpServer
          const http = client(HttpServer.formatAddress(address))
          yield* until(http.get("/health/ready"), ({ status }) => status === 200)
          // Whom it could do without, too.
          yield* until(http.get("/health/pools"), ({ body }) => !JSON.stringify(body).includes("unhealthy"))
        }).pipe(
          Effect.provide(Storefront.layer),
          Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
        )
      }))
  })
})
