/**
 * Orders as they are placed, for whoever watches. Who asks, by any message, hears the last ones again. Who vanishes or
 * does not read is let go, and holds nobody up.
 */
import { ConnectionManager, type WebSocketError } from "@breakwater/websocket"
import { Config, Context, Effect, Layer, Stream } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"

const KEPT = 200

export class Watchers extends ConnectionManager.Service<Watchers>()("feed") {}

export class Feed extends Context.Service<Feed, {
  readonly announce: (message: string) => Effect.Effect<void>
  /** Makes a watcher of whoever sent the request. */
  readonly watch: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    WebSocketError.WebSocketError,
    HttpServerRequest.HttpServerRequest
  >
}>()("storefront/Feed") {}

const layerWatchers = Watchers.layerConfig({
  critical: Config.succeed(false),
  connections: Config.succeed({ max: 500 }),
  heartbeat: Config.succeed({ interval: "1500 millis", timeout: "1 second" }),
  // Sooner than a heartbeat: who does not read does not answer either, and slow is the better word for it.
  send: Config.succeed({ buffer: 256 * 1024, timeout: "500 millis" })
})

const make = Effect.map(Watchers, ({ broadcast, upgrade }) => {
  let recent: ReadonlyArray<string> = []
  return Feed.of({
    announce: (message) =>
      Effect.suspend(() => {
        recent = [...recent.slice(1 - KEPT), message]
        // One order is far smaller than what a peer has room for.
        return Effect.orDie(broadcast(message))
      }),
    watch: upgrade((connection) =>
      Stream.runForEach(connection.messages, () => Effect.suspend(() => connection.send(`[${recent.join()}]`)))
    )
  })
})

export const layer = Layer.provideMerge(Layer.effect(Feed, make), layerWatchers)
