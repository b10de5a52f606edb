// A live feed over WebSocket: a server that knows its connections, and a client that comes back when one of them ends.
import { ConnectionManager, ReconnectingSocket } from "@breakwater/websocket"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Console, Effect, Layer, Redacted, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"

class Feed extends ConnectionManager.Service<Feed>()("feed") {}

// A connection lives as long as its handler runs: here, until the peer leaves. What one says, all hear.
const Routes = HttpRouter.use((router) =>
  Effect.gen(function*() {
    const feed = yield* Feed
    yield* router.add(
      "GET",
      "/feed",
      feed.upgrade((connection) =>
        Stream.runForEach(connection.messages, (message) => feed.broadcast(`${connection.id}: ${String(message)}`))
      )
    )
  })
)

const Server = HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true }).pipe(
  Feed.drainBefore, // a server that ends would wait for its connections
  Layer.provideMerge(Feed.layer({ connections: { max: 1 } })),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
)

const program = Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  const url = Redacted.make(`ws://127.0.0.1:${"port" in address ? address.port : 0}/feed`)
  const feed = yield* Feed
  const alice = yield* ReconnectingSocket.make({
    name: "alice",
    url,
    onOpen: (session) => session.send(`hello, this is my connection ${session.connection}`)
  })
  const heard = Effect.map(Stream.runCollect(Stream.take(alice.messages, 1)), ([message]) => String(message))
  yield* Console.log(`heard:     ${yield* heard}`)

  // There is room for one. A second client is told to try again later, and waits.
  const bob = yield* ReconnectingSocket.make({ name: "bob", url })
  yield* bob.send("at last")
  const waiting = Stream.filter(bob.states, (state) => state._tag === "Waiting")
  for (const { cause } of yield* Stream.runCollect(Stream.take(waiting, 1))) {
    if (cause.reason._tag === "ConnectionClosed") yield* Console.log(`no room:   code ${cause.reason.code}`)
  }

  // The server ends the connection with a code that asks to come back: the client does, and greets again.
  const [id = ""] = yield* feed.ids
  yield* feed.remove(id, { code: 1012, reason: "restart" })
  yield* Console.log(`heard:     ${yield* heard}`)

  const { connections, max, opened, refused } = yield* feed.stats
  yield* Console.log(`feed:      ${connections} of ${max} connections, ${opened} opened, ${refused} refused`)

  // Everybody is told with 1001 before the server ends, here by hand.
  yield* feed.drain("2 seconds")
  yield* Console.log(`drained:   ${(yield* feed.stats).connections} connections`)
})

await program.pipe(Effect.scoped, Effect.provide(Server), Effect.runPromise)
