import { Backends } from "@breakwater/core"
import { FaultProxy, Seeded } from "@breakwater/testing"
import { ConnectionManager, ReconnectingSocket, WebSocketError } from "@breakwater/websocket"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, it } from "@effect/vitest"
import { Config, ConfigProvider, Context, Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { HttpServer } from "effect/http"
import { createServer } from "node:http"
import { next, open, until } from "../utils/client.ts"
import { connect, echo, eventually, quiet, serve } from "../utils/peers.ts"

it.live("keeps its one connection over 1,000 messages, and answers 100 at once", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const proxy = yield* FaultProxy.make({ target: served })
    const socket = yield* open(proxy)
    yield* Effect.forEach(Array(1000).keys(), (n) => socket.send(String(n)), { discard: true })
    assert.strictEqual((yield* next(socket, 1000)).at(-1), "999")
    yield* Effect.forEach(Array(100).keys(), (n) => socket.send(String(n)), { concurrency: "unbounded", discard: true })
    assert.strictEqual((yield* next(socket, 100)).length, 100)
    assert.include(yield* proxy.stats, { open: 1, accepted: 1 })
    assert.include(yield* socket.backend.stats, { used: 1, opened: 1, closed: 0, waiting: 0 })
  }))

it.live("recovers when the server is gone and another one takes its place", () =>
  Effect.gen(function*() {
    const first = yield* Scope.make()
    const proxy = yield* FaultProxy.make({ target: yield* Scope.provide(serve(), first) })
    const socket = yield* open(proxy)
    yield* socket.awaitOpen("5 seconds")
    yield* Scope.close(first, Exit.void)
    yield* until(socket, "Waiting")
    yield* socket.send("after")
    yield* proxy.retarget(yield* serve())
    assert.deepStrictEqual(yield* next(socket), ["after"])
  }))

it.live("holds nothing after 50 interrupts of clients at random", () =>
  Effect.gen(function*() {
    const random = Seeded.numbers(20_261_121)
    const below = (n: number) => Math.floor(random() * n)
    const served = yield* serve({}, (connection) => Effect.ignore(echo(connection)))
    const proxy = yield* FaultProxy.make({ target: served })
    const once = Effect.scoped(Effect.gen(function*() {
      const socket = yield* open(proxy, { onOpen: (session) => session.send("hello") })
      yield* Effect.forever(Effect.andThen(socket.send("x".repeat(below(100_000))), next(socket)))
    }))
    for (let n = 0; n < 50; n++) {
      const fiber = yield* Effect.forkChild(once)
      yield* Effect.sleep(below(15))
      yield* Fiber.interrupt(fiber)
    }
    yield* eventually(Effect.map(served.manager.stats, ({ connections }) => connections === 0))
    yield* eventually(Effect.map(proxy.stats, (stats) => stats.open === 0))
    assert.deepInclude(yield* served.manager.stats, { waiting: 0, keys: 0 })
  }))

it.live("registers both as backends, and provides each as a layer, from options and from config", () =>
  Backends.isolated(Effect.gen(function*() {
    class Feed extends ConnectionManager.Service<Feed>()("feed") {}
    class Prices extends ReconnectingSocket.Service<Prices>()("prices") {}
    const provider = ConfigProvider.layer(ConfigProvider.fromUnknown({ MAX: "7", URL: "ws://127.0.0.1:1/" }))
    const layers = Layer.mergeAll(
      Feed.layerConfig({ connections: { max: Config.Int("MAX") } }),
      Prices.layerConfig({ url: Config.Redacted("URL") }),
      ConnectionManager.layer({ name: "other" })
    ).pipe(Layer.provide(provider))
    yield* Effect.gen(function*() {
      assert.strictEqual((yield* (yield* Feed).stats).max, 7)
      assert.strictEqual((yield* Prices).name, "prices")
      assert.strictEqual((yield* ConnectionManager.ConnectionManager).name, "other")
      const kinds = (yield* Backends.list).map(({ backend, label }) => `${backend.kind} ${label}`)
      assert.sameMembers(kinds, ["websocket feed", "websocket prices", "websocket other"])
    }).pipe(Effect.provide(layers))
    assert.deepStrictEqual(yield* Backends.list, [])
    const wrong = Layer.provide(Feed.layerConfig({ connections: { max: Config.succeed(0) } }), provider)
    const exit = yield* Effect.exit(Effect.scoped(Layer.build(wrong)))
    assert.isTrue(Exit.isFailure(exit))
    assert.include(String(exit), "connections.max")
  })).pipe(quiet))

it.live("lets a server end that has connections open, and tells their peers", () =>
  Effect.gen(function*() {
    class Feed extends ConnectionManager.Service<Feed>()("feed") {}
    const app = Effect.flatMap(Effect.service(Feed), (feed) => feed.upgrade((connection) => connection.closed))
    const server = HttpServer.serve(app).pipe(
      Feed.drainBefore,
      Layer.provide(Feed.layer()),
      Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
    )
    const scope = yield* Scope.make()
    const built = yield* Backends.isolated(Scope.provide(Layer.build(server), scope))
    const { address } = Context.get(built, HttpServer.HttpServer)
    const peer = yield* connect({ host: "127.0.0.1", port: "port" in address ? address.port : 0 })
    const closed = Effect.as(Effect.timeout(Scope.close(scope, Exit.void), "10 seconds"), "ended")
    const [{ code }, ended] = yield* Effect.all([peer.closed, closed], { concurrency: 2 })
    assert.deepStrictEqual([code, ended], [1001, "ended"])
  }).pipe(quiet))

it.live("serves programs outside Effect on any server of node:http", () =>
  Effect.promise(async () => {
    await using feed = await ConnectionManager.start({ name: "feed" })
    const server = createServer()
    server.on("upgrade", (request, socket, head) => {
      const accepted = feed.client.accept({ request, socket, head }, { key: "guest" })
      void accepted.then(async (connection) => {
        for await (const message of connection.messages) await connection.send(message)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    try {
      await using socket = await ReconnectingSocket.start({
        name: "client",
        url: Redacted.make(`ws://127.0.0.1:${port}/`)
      })
      await socket.client.awaitOpen("5 seconds")
      await socket.client.send("hello", { signal: AbortSignal.timeout(1000) })
      for await (const message of socket.client.messages) {
        assert.strictEqual(message, "hello")
        break
      }
      assert.strictEqual((await feed.stats()).connections, 1)
      const aborted = AbortSignal.abort(new Error("no time"))
      const refused: unknown = await socket.client.send("late", { signal: aborted }).catch((error: unknown) => error)
      assert.strictEqual(refused, aborted.reason)
      const missing: unknown = await feed.client.send("nobody", "x").catch((error: unknown) => error)
      assert.isTrue(WebSocketError.isWebSocketError(missing))
    } finally {
      await feed.close()
      server.close()
    }
  }).pipe(quiet))
