/**
 * The service as one layer. The order of its parts is the order of its end, from the outside in: nothing new is accepted
 * and what is in flight finishes, then the pools drain.
 */
import { Lifecycle } from "@breakwater/core"
import { CloseWhileDraining } from "@breakwater/ops"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Config, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import * as Api from "./Api.ts"
import * as Cache from "./Cache.ts"
import * as Catalogue from "./Catalogue.ts"
import * as Database from "./Database.ts"
import * as Feed from "./Feed.ts"
import * as Operations from "./Operations.ts"
import * as Orders from "./Orders.ts"
import * as Payments from "./Payments.ts"
import { Policies } from "./Policies.ts"
import * as Shipping from "./Shipping.ts"

/** More than any request takes: orders have three and a half seconds. A client that never finishes its own must not hold the end. */
const IN_FLIGHT_LIMIT = "4 seconds"

/** Who takes longer for a request holds a connection for nothing. In milliseconds. */
const SLOW_CLIENTS = { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 }

const layerServer = NodeHttpServer.layerConfig(() => createServer(SLOW_CLIENTS), {
  // 0 is any free port.
  port: Config.Int("PORT").pipe(Config.withDefault(3000)),
  host: Config.String("HOST").pipe(Config.withDefault("127.0.0.1")),
  gracefulShutdownTimeout: Config.succeed(IN_FLIGHT_LIMIT)
}).pipe(Lifecycle.named("HTTP server"))

const layerBackends = Layer.mergeAll(
  Database.layer,
  Cache.layer,
  Payments.layer,
  Shipping.layer,
  Catalogue.layer,
  Feed.layer,
  Policies.layer
)

const layerRoutes = HttpRouter.serve(
  Layer.mergeAll(CloseWhileDraining.layer, Api.layer, Operations.layer, Orders.layerMetrics),
  {
    disableLogger: true
  }
)

export const layer = Feed.Watchers.drainBefore(layerRoutes).pipe(
  Layer.provideMerge(layerServer),
  Layer.provideMerge(Lifecycle.layer({ prepare: Database.migrate })),
  Layer.provideMerge(layerBackends)
)
