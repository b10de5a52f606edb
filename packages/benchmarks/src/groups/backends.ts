/** What the backends lose, or gain, over their bare drivers. */
import * as Http from "@breakwater/http/Http"
import * as Redis from "@breakwater/redis/Redis"
import type * as PostgresServer from "@breakwater/testing/PostgresServer"
import * as RedisServer from "@breakwater/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as IoRedis from "ioredis"
import { Worker } from "node:worker_threads"
import * as Undici from "undici/index.js"
import { type Case, type Group, ofEffect, ofPromises, ours, peer } from "../candidate.ts"
import * as Databases from "../peers/databases.ts"

const SIZE = 10
const crowds = [1, 50]

const users = (n: number) => n === 1 ? "one user" : `${n} users`

const postgres = (server: PostgresServer.PostgresServer) => (n: number): Case => ({
  name: `Postgres, ${users(n)}`,
  about: `One row by its primary key, over at most ${SIZE} connections.`,
  shows: "throughput",
  candidates: [
    ofEffect(ours, Effect.map(Databases.breakwaterClient(server, SIZE), Databases.lookup), { users: n }),
    ofEffect(peer("@effect/sql-pg"), Effect.map(Databases.bareClient(server, SIZE), Databases.lookup), { users: n })
  ]
})

const ioredis = (name: string, server: RedisServer.RedisServer, enableAutoPipelining: boolean, n: number) =>
  ofPromises(peer(name), {
    open: async () => new IoRedis.Redis(Redacted.value(server.url), { enableAutoPipelining }),
    op: (client) => () => client.get("key"),
    close: (client) => client.quit()
  }, { users: n })

const redis = (server: RedisServer.RedisServer) => (n: number): Case => ({
  name: `Redis, ${users(n)}`,
  about: "GET of a short text.",
  shows: "throughput",
  candidates: [
    ofEffect(
      ours,
      Effect.map(Redis.make({ name: "bench", url: server.url }), (client) => () => client.send("GET", "key")),
      { users: n }
    ),
    ioredis("ioredis", server, false, n),
    ioredis("ioredis, auto-pipelining", server, true, n)
  ]
})

const httpServer = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => new Worker(new URL("../peers/httpServer.ts", import.meta.url))),
    (worker) => Effect.promise(() => worker.terminate())
  ),
  (worker) =>
    Effect.callback<string, Error>((resume) => {
      worker.once("message", (url: string) => resume(Effect.succeed(url)))
      worker.once("error", (error) => resume(Effect.fail(error)))
    })
).pipe(Effect.flatten, Effect.timeout("10 seconds"))

const made = (url: string) =>
  Http.make({ name: "bench", url: Redacted.make(url), pool: { size: { max: SIZE, perOrigin: SIZE } } })

const http = (url: string) => (n: number): Case => ({
  name: `HTTP, ${users(n)}`,
  about: `GET of a small JSON, read and parsed, over at most ${SIZE} connections to a server in another thread.`,
  shows: "throughput",
  candidates: [
    ofEffect(
      { ...ours, name: "Breakwater, HttpClient" },
      Effect.map(made(url), ({ client }) => () => Effect.flatMap(client.get("/"), (response) => response.json)),
      { users: n }
    ),
    ofEffect(
      { ...ours, name: "Breakwater, Dispatcher" },
      Effect.map(made(url), ({ dispatcher }) => () =>
        Effect.promise(async () => {
          const { body } = await dispatcher.request({ origin: url, path: "/", method: "GET" })
          return await body.json()
        })),
      { users: n }
    ),
    ofPromises(peer("undici"), {
      open: async () => new Undici.Pool(url, { connections: SIZE }),
      op: (pool) => async () => {
        const { body } = await pool.request({ path: "/", method: "GET" })
        await body.json()
      },
      close: (pool) => pool.close()
    }, { users: n })
  ]
})

export const backends: Group = {
  name: "backends",
  cases: Effect.gen(function*() {
    const database = yield* Databases.makeServer(100)
    const cache = yield* RedisServer.make()
    yield* cache.command("SET", "key", "a short text")
    const url = yield* httpServer
    return [...crowds.map(postgres(database)), ...crowds.map(redis(cache)), ...crowds.map(http(url))]
  })
}
