import * as Backends from "@breakwater/core/Backends"
import * as Lifecycle from "@breakwater/core/Lifecycle"
import { CloseWhileDraining, Ops } from "@breakwater/ops"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import * as Http from "node:http"

const LIMIT = "20 seconds"

const Routes = HttpRouter.addAll([
  HttpRouter.route("GET", "/work", Effect.succeed(HttpServerResponse.text("done"))),
  HttpRouter.route("GET", "/failure", Effect.fail("no such order")),
  HttpRouter.route("GET", "/bug", Effect.die("a bug"))
])

const STATUSES: ReadonlyArray<readonly [string, number]> = [
  ["/work", 200],
  ["/failure", 500],
  ["/bug", 500],
  ["/nowhere", 404],
  ["/health/live", 200]
]

/** As somebody who would like to keep the connection. */
const keeping = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => new Http.Agent({ keepAlive: true })),
    (agent) => Effect.sync(() => agent.destroy())
  ),
  (agent) => (url: string) =>
    Effect.callback<{ readonly status: number; readonly closes: boolean }, Error>((resume) => {
      const request = Http.get(url, { agent }, ({ headers, statusCode: status = 0 }) => {
        resume(Effect.succeed({ status, closes: headers.connection === "close" }))
      })
      request.on("error", (error) => resume(Effect.fail(error)))
      return Effect.sync(() => request.destroy())
    }).pipe(Effect.timeout(LIMIT))
)

const served = HttpRouter.serve(Layer.mergeAll(CloseWhileDraining.layer, Routes, Ops.layer({ logs: false })), {
  disableLogger: true,
  disableListenLog: true
}).pipe(
  Layer.provideMerge(NodeHttpServer.layer(() => Http.createServer(), { port: 0, host: "127.0.0.1" })),
  Layer.provideMerge(Lifecycle.layer({ start: "fail-fast" }))
)

describe("a server that drains", () => {
  it.live("has every answer close its connection, those of errors and of Ops too, and none before", () =>
    Effect.scoped(Backends.isolated(Effect.gen(function*() {
      const context = yield* Layer.build(served)
      const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
      const lifecycle = yield* Effect.provideContext(Lifecycle.Lifecycle, context)
      const ask = yield* keeping
      const url = HttpServer.formatAddress(address)
      const askAll = Effect.forEach(
        STATUSES,
        ([path]) => Effect.map(ask(`${url}${path}`), ({ closes, status }) => [path, status, closes])
      )
      const answered = (closes: boolean) => STATUSES.map(([path, status]) => [path, status, closes])
      assert.deepStrictEqual(yield* askAll, answered(false))
      yield* Effect.forkScoped(lifecycle.drain({ grace: "1 second" }), { startImmediately: true })
      assert.deepStrictEqual(yield* askAll, answered(true))
    }))))
})
