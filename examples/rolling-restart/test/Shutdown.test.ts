import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted } from "effect"
import * as Net from "node:net"
import * as Instance from "../Instance.ts"

const get = (url: string) =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(url, { signal })
    return { status: response.status, text: await response.text() }
  })

/** A WebSocket whose peer never answers, not even the close. */
const openWebSocket = (url: string) =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const socket = Net.connect(Number(new URL(url).port), "127.0.0.1")
      const head = [
        "GET /feed HTTP/1.1",
        "host: x",
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
        "\r\n"
      ]
      socket.on("error", () => {})
      socket.once("connect", () => socket.write(head.join("\r\n")))
      socket.once("data", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** What it said of its end: the line of the warning, and those that name what was cut. */
const lastWords = (output: ReadonlyArray<string>): string => {
  const from = output.findIndex((line) => line.includes("stopped"))
  return output.slice(from).join("\n")
}

const LIMITS = { DRAIN_GRACE: "500 millis", DRAIN_DEADLINE: "6 seconds" }

describe.skipIf(!TestPostgres.available)("a service that cannot end by itself", () => {
  layer(Layer.mergeAll(TestPostgres.layer, NodeServices.layer), { excludeTestServices: true })((it) => {
    const hanging = Effect.gen(function*() {
      const { url: database } = yield* PostgresServer.PostgresServer
      const service = yield* Instance.start({ DATABASE_URL: Redacted.value(database), ...LIMITS })
      yield* openWebSocket(service.url)
      assert.strictEqual((yield* get(`${service.url}/leak`)).status, 200)
      const query = yield* Effect.forkScoped(get(`${service.url}/slow`))
      // Load: each asks again as soon as it has its answer, until it finds the door closed.
      const seen = { ready: true }
      const busy = Effect.gen(function*() {
        const statuses = new Set<number>()
        while (seen.ready) statuses.add((yield* get(`${service.url}/work`)).status)
        return statuses
      })
      const load = yield* Effect.forkScoped(Effect.all(Array.from({ length: 8 }, () => busy), { concurrency: 8 }))
      yield* Effect.sleep("300 millis")
      yield* service.terminate
      while (seen.ready) seen.ready = (yield* get(`${service.url}/health/ready`)).status === 200
      for (const statuses of yield* Fiber.join(load)) assert.deepStrictEqual([...statuses], [200])
      return { ...service, query }
    })

    it.effect("ends within its deadline, names what was cut, and exits with 124", () =>
      Effect.gen(function*() {
        const { exitCode, output, query } = yield* hanging
        const answer = yield* Fiber.join(query)
        assert.strictEqual(answer.status, 503)
        assert.include(answer.text, "cut the connection under the running work (Drained)")
        assert.strictEqual(yield* exitCode, 124)
        const words = lastWords(output)
        assert.match(words, /stopped after [56]s/)
        // The session that nobody gave back, then the statement.
        assert.match(words, /postgres "orders": cut orders\.transaction .*, orders\.select /)
        assert.match(words, /websocket "feed": cut c1 /)
      }), 60_000)

    it.effect("ends soon after a second signal, and exits with 143", () =>
      Effect.gen(function*() {
        const { exitCode, output, terminate } = yield* hanging
        yield* terminate
        assert.strictEqual(yield* exitCode, 143)
        assert.match(lastWords(output), /forced/)
      }), 60_000)
  })
})
