/**
 * The service as one layer. The order of its parts is the order of its end, from the outside in: readiness goes first,
 * then nothing new is accepted and what is in flight finishes, then the pool drains.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Config, Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import * as Api from "./Api.ts"
import * as Database from "./Database.ts"
import { layerDraining, layerStarting, Phase } from "./Phase.ts"

/** More than any request takes: orders have three seconds. */
const IN_FLIGHT_LIMIT = "4 seconds"

const layerServer = Layer.unwrap(Effect.sync(() => {
  const server = createServer()
  // Requests have ended by then. A client that never finished its own must not hold the port.
  const layerConnections = Layer.effectDiscard(
    Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
  )
  return layerConnections.pipe(Layer.provideMerge(NodeHttpServer.layerConfig(() => server, {
    // 0 is any free port.
    port: Config.Int("PORT").pipe(Config.withDefault(3000)),
    host: Config.String("HOST").pipe(Config.withDefault("127.0.0.1")),
    gracefulShutdownTimeout: Config.succeed(IN_FLIGHT_LIMIT)
  })))
}))

export const layer = layerDraining.pipe(
  Layer.provideMerge(HttpRouter.serve(Api.layer, { disableLogger: true })),
  Layer.provideMerge(layerServer),
  Layer.provide(layerStarting),
  Layer.provideMerge(Layer.merge(Database.layer, Phase.layer))
)
