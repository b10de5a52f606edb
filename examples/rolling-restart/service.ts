/**
 * A small service with an end in good order, and with everything that can hold an end up: a statement that takes for
 * ever, a session that nobody gives back, WebSockets. Reads DATABASE_URL, PORT, DRAIN_GRACE and DRAIN_DEADLINE.
 */
import { Lifecycle } from "@breakwater/core"
import { CloseWhileDraining } from "@breakwater/ops"
import { Postgres } from "@breakwater/postgres"
import { ConnectionManager } from "@breakwater/websocket"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Config, Duration, Effect, Layer, Scope, Stream } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"

class Orders extends Postgres.Service<Orders>()("orders") {}

class Feed extends ConnectionManager.Service<Feed>()("feed") {}

const { deadline, grace } = Effect.runSync(Config.all({
  grace: Config.Duration("DRAIN_GRACE").pipe(Config.withDefault(Duration.seconds(2))),
  deadline: Config.Duration("DRAIN_DEADLINE").pipe(Config.withDefault(Duration.seconds(15)))
}))

/** Before the deadline: then backends cut what still runs. */
const margin = Duration.times(deadline, 0.2)

/** Statements may take as long as the process lives, so that nothing but its end ends them. */
const layerOrders = Orders.layerConfig({
  pool: Config.succeed({ size: { min: 2, max: 20 } }),
  policy: Config.succeed<Postgres.PolicyOptions>({ deadline: "1 hour", timeout: "30 minutes" })
})

const work = Effect.gen(function*() {
  const { sql } = yield* Orders
  yield* sql`select pg_sleep(0.02)`
  return HttpServerResponse.text("done")
})

const slow = Effect.gen(function*() {
  const { sql } = yield* Orders
  yield* sql`select pg_sleep(3600)`
  return HttpServerResponse.text("done")
})

const leak = Effect.gen(function*() {
  const { sql } = yield* Orders
  yield* Scope.provide(sql.reserve, yield* Scope.make())
  return HttpServerResponse.text("leaked")
})

const watch = Effect.gen(function*() {
  const feed = yield* Feed
  return yield* feed.upgrade(({ messages }) => Stream.runDrain(messages))
})

const ready = Effect.gen(function*() {
  const { phase } = yield* Lifecycle.Lifecycle
  const now = yield* phase
  return HttpServerResponse.text(now, { status: now === "ready" ? 200 : 503 })
})

/** The pool's error says what was cut, and why. */
const answered = <E, R>(handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.catch(handler, (error) => Effect.succeed(HttpServerResponse.text(String(error), { status: 503 })))

const routes = HttpRouter.addAll([
  HttpRouter.route("GET", "/work", answered(work)),
  HttpRouter.route("GET", "/slow", answered(slow)),
  HttpRouter.route("GET", "/leak", answered(leak)),
  HttpRouter.route("GET", "/feed", answered(watch)),
  HttpRouter.route("GET", "/health/ready", ready)
])

const layerServer = NodeHttpServer.layerConfig(createServer, {
  port: Config.Int("PORT").pipe(Config.withDefault(0)),
  host: Config.succeed("127.0.0.1"),
  // Longer than it takes until backends cut: what waited for them can still answer.
  gracefulShutdownTimeout: Config.succeed(Duration.subtract(deadline, Duration.times(margin, 0.5)))
}).pipe(Lifecycle.named("HTTP server"))

const layer = Feed.drainBefore(HttpRouter.serve(Layer.merge(CloseWhileDraining.layer, routes), { disableLogger: true }))
  .pipe(
    Layer.provideMerge(layerServer),
    Layer.provideMerge(Lifecycle.layer({ start: "fail-fast" })),
    Layer.provideMerge(Layer.merge(layerOrders, Feed.layer()))
  )

Lifecycle.runMain(layer, process, { grace, deadline, margin })
