// A service from its start to its exit code: what is in flight at the signal finishes, and what hangs does not hang the process.
import { Lifecycle } from "@breakwater/core"
import { CloseWhileDraining } from "@breakwater/ops"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Console, Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { EventEmitter } from "node:events"
import { createServer } from "node:http"

const Routes = HttpRouter.addAll([
  HttpRouter.route("GET", "/slow", Effect.delay(Effect.succeed(HttpServerResponse.text("finished")), "400 millis")),
  HttpRouter.route(
    "GET",
    "/health/ready",
    Effect.gen(function*() {
      const { phase } = yield* Lifecycle.Lifecycle
      return HttpServerResponse.empty({ status: (yield* phase) === "ready" ? 200 : 503 })
    })
  )
])

// From the outside in, which is the order of its end: routes, server, lifecycle; backends would stand innermost.
// A client that keeps its connection would hold the server up, or find it closed in the middle of its next request.
const Service = HttpRouter.serve(Layer.merge(CloseWhileDraining.layer, Routes), {
  disableLogger: true,
  disableListenLog: true
}).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.provideMerge(Lifecycle.layer({ prepare: Console.log("  tables are there"), start: "fail-fast" }))
)

// A service of its own would end here: Lifecycle.runMain(Service, process, LIMITS)
const LIMITS = { grace: "200 millis", deadline: "2 seconds" } as const

// Here signals come from this program, so that it can look on.
const signals = new EventEmitter()

// What a client sees: it asks for something slow, and the signal comes meanwhile.
const Client = Layer.effectDiscard(Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  const url = HttpServer.formatAddress(address)
  const get = (path: string) => Effect.tryPromise(() => fetch(`${url}${path}`))
  const { changes } = yield* Lifecycle.Lifecycle
  yield* Effect.forkDetach(Stream.runForEach(changes, (phase) => Console.log(`  ${phase}`)))
  const slow = Effect.flatMap(get("/slow"), (response) => Effect.promise(() => response.text()))
  yield* Effect.forkDetach(Effect.flatMap(slow, (text) => Console.log(`  the request in flight: ${text}`)))
  yield* Effect.forkDetach(Effect.gen(function*() {
    yield* Effect.sleep("100 millis")
    yield* Effect.sync(() => signals.emit("SIGTERM"))
    yield* Effect.sleep("50 millis")
    const { status } = yield* get("/health/ready")
    yield* Console.log(`  readiness for the balancer: ${status}`)
  }))
}))

// By its name the log can say what hung.
const Hanging = Layer.effectDiscard(Effect.addFinalizer(() => Effect.never)).pipe(Lifecycle.named("feed pump"))

const program = Effect.gen(function*() {
  yield* Console.log("an end in good order:")
  const good = yield* Lifecycle.run(Layer.provideMerge(Client, Service), signals, LIMITS)
  yield* Console.log(`exit code ${good}\n`)

  yield* Console.log("a finalizer that hangs:")
  const bad = yield* Lifecycle.run(Layer.provideMerge(Client, Layer.provideMerge(Hanging, Service)), signals, LIMITS)
  yield* Console.log(`exit code ${bad}`)
})

await Effect.runPromise(program)
// The second server is still there, as its finalizer hangs: `runMain` ends the process with the code.
process.exit(0)
