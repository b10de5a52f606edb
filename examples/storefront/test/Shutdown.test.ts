import { Postgres } from "@breakwater/postgres"
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Redacted } from "effect"
import * as Net from "node:net"
import * as Neighbours from "../storm/Neighbours.ts"
import * as StorefrontProcess from "../storm/StorefrontProcess.ts"
import { client, until } from "./support.ts"

/** Sends the beginning of a request, and never the rest. */
const sendHalf = (url: string) =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const socket = Net.connect(Number(new URL(url).port), "127.0.0.1")
      const half = "POST /orders HTTP/1.1\r\nhost: x\r\n"
      socket.on("error", () => {})
      socket.once("connect", () => socket.write(half, () => resume(Effect.succeed(socket))))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** A storefront process that was sent SIGTERM with one order in flight, which waits for a lock until `release`. */
const terminated = Effect.fnUntraced(function*(key: string) {
  const { url } = yield* PostgresServer.PostgresServer
  const { sql } = yield* Postgres.make({ name: "test", url })
  const { env } = yield* Neighbours.make
  const { exitCode, terminate, url: address } = yield* StorefrontProcess.start({
    ...env,
    DATABASE_URL: Redacted.value(url)
  })
  const http = client(address)
  yield* until(http.get("/health/ready"), ({ status }) => status === 200)

  const locked = yield* Deferred.make<void>()
  const release = yield* Deferred.make<void>()
  yield* sql`lock table products in exclusive mode`.pipe(
    Effect.andThen(Deferred.succeed(locked, undefined)),
    Effect.andThen(Deferred.await(release)),
    sql.withTransaction,
    Effect.forkScoped
  )
  yield* Deferred.await(locked)
  const order = yield* Effect.forkScoped(http.order(key, { product: 1, quantity: 1 }))
  yield* until(
    sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    (rows) => rows.length > 0
  )

  yield* terminate
  return { http, order, exitCode, release: Deferred.succeed(release, undefined), sql }
})

describe.skipIf(!TestPostgres.available)("storefront on SIGTERM", () => {
  layer(Layer.mergeAll(TestPostgres.layer, NodeServices.layer), { excludeTestServices: true })((it) => {
    it.effect("readiness goes first, what comes meanwhile is served, and what is in flight finishes", () =>
      Effect.gen(function*() {
        const { exitCode, http, order, release, sql } = yield* terminated("in flight")
        const notReady = yield* until(http.get("/health/ready"), ({ status }) => status !== 200)
        assert.deepStrictEqual([notReady.status, notReady.body], [503, {
          status: "not ready",
          phase: "draining",
          backends: {}
        }])
        assert.strictEqual((yield* http.get("/products/1")).status, 200)
        assert.strictEqual((yield* http.get("/health/live")).status, 200)
        yield* release
        assert.strictEqual((yield* Fiber.join(order)).status, 201)
        assert.strictEqual(yield* exitCode, 0)
        assert.isTrue((yield* Effect.result(http.get("/health/live")))._tag === "Failure")
        yield* until(
          sql`select 1 from pg_stat_activity where datname = current_database() and application_name = 'storefront'`,
          (rows) => rows.length === 0
        )
      }))

    it.effect("a statement that hangs is given up with a typed answer, and does not hold the end", () =>
      Effect.gen(function*() {
        const { exitCode, order } = yield* terminated("hanging")
        const answer = yield* Fiber.join(order)
        assert.include(["503 OutcomeUnknown", "504 TimedOut"], `${answer.status} ${answer.reason}`)
        assert.strictEqual(yield* exitCode, 0)
      }))

    it.effect("a client that never finishes its request does not hold the end", () =>
      Effect.gen(function*() {
        const { url } = yield* PostgresServer.PostgresServer
        const { env } = yield* Neighbours.make
        const { exitCode, terminate, url: address } = yield* StorefrontProcess.start({
          ...env,
          DATABASE_URL: Redacted.value(url)
        })
        yield* until(client(address).get("/health/ready"), ({ status }) => status === 200)
        yield* sendHalf(address)
        yield* terminate
        assert.strictEqual(yield* exitCode, 0)
      }))
  })
})
