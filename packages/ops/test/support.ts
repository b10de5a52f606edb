import { type Backend, ofPool } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import { Ops } from "@breakwater/ops"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Duration, Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"

/** A backend over a pool of strings, with a breaker; `parts` stand in for what a test looks at. */
export const backend = Effect.fnUntraced(function*(name: string, parts: Partial<Backend> = {}) {
  const pool = yield* Pool.make({ name, acquire: Effect.succeed(name), size: { max: 3 }, leak: { after: "1 minute" } })
  const policy = Policy.make({ name, breaker: { minimumCalls: 2 } })
  const made: Backend = {
    name,
    kind: "fake",
    critical: true,
    profile: "staging",
    limits: { wait: Duration.seconds(20), dial: Duration.seconds(10) },
    health: Effect.succeed({ status: "healthy", latency: Duration.millis(1.5) }),
    policy: Effect.sync(() => Policy.snapshot(policy)),
    ...ofPool(pool),
    ...parts
  }
  yield* Backends.register(made)
  return { pool, policy }
})

/** Serves the endpoints on a free port of this machine; gives where. */
export const serve = Effect.fnUntraced(function*(options: Ops.Options = {}) {
  const served = HttpRouter.serve(Ops.layer(options), { disableLogger: true, disableListenLog: true })
  const server = NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })
  const context = yield* Layer.build(Layer.provideMerge(served, server))
  const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
  return HttpServer.formatAddress(address)
})
