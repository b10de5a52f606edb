/** A service whose backends fail when a test says so, and whose pools, policies and endpoints are real. */
import { Backends, Lifecycle, Operation, Policy, Pool } from "@breakwater/core"
import type { Backend } from "@breakwater/core/Backend"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Duration, Effect, Exit, Layer, type Redacted, Schema, Scope, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { Ops, OpsStats } from "../../src/index.ts"

/** Names and labels come from code, errors from servers: none of them may become markup. */
export const HOSTILE = "<img src=x onerror=\"globalThis.pwned = true\">"

const REFUSED = `connect ECONNREFUSED ${HOSTILE}`

const makeBackend = Effect.fnUntraced(function*(name: string, kind: string, max: number) {
  const server = { reachable: true }
  const pool = yield* Pool.make({
    name,
    acquire: Effect.suspend(() => server.reachable ? Effect.succeed(name) : Effect.fail(new Error(REFUSED))),
    size: { max },
    wait: { timeout: "10 minutes" }
  })
  const policy = Policy.make({ name, breaker: { consecutive: 3, openFor: "10 minutes" } })
  const backend: Backend = {
    name,
    kind,
    critical: kind === "postgres",
    stats: Pool.stats(pool),
    health: Effect.succeed({ status: "healthy", latency: Duration.millis(1) }),
    policy: Effect.sync(() => Policy.snapshot(policy)),
    events: Stream.merge(Pool.events(pool), Policy.events(policy)),
    detail: Pool.detail(pool),
    warm: Pool.warm(pool),
    clear: (options) => Pool.clear(pool, options),
    drain: (deadline) => Pool.drain(pool, deadline)
  }
  yield* Backends.register(backend)
  return { pool, policy, server }
})

/** Somebody who borrows a connection and keeps it, or waits for one, until the scope ends. */
const holding = (pool: Pool.Pool<string>, label: string) =>
  Effect.forkScoped(Effect.ignore(Pool.use(pool, () => Effect.never, { label })), { startImmediately: true })

const serve = (options: { readonly port: number; readonly token?: Redacted.Redacted | undefined }) =>
  Effect.gen(function*() {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const { port, token } = options
    const routes = Ops.layer({ service: "shop", ...(token === undefined ? {} : { token, dashboard: "public" }) })
    const server = NodeHttpServer.layer(createServer, {
      port,
      host: "127.0.0.1",
      gracefulShutdownTimeout: "100 millis"
    })
    const served = Layer.provideMerge(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }), server)
    const context = yield* Layer.build(served).pipe(Scope.provide(scope))
    const address = yield* Effect.provideContext(HttpServer.HttpServer, context).pipe(
      Effect.map((http) => http.address)
    )
    if (address._tag === "UnixPathAddress") return yield* Effect.die("it listens on no port")
    return { port: address.port, url: `http://127.0.0.1:${address.port}`, close: Scope.close(scope, Exit.void) }
  })

const ask = (url: string) =>
  Effect.promise((signal) => fetch(`${url}/stats`, { signal }).then((response) => response.json())).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(OpsStats.Stats)),
    Effect.orDie
  )

/** Three backends: `orders`, `cache`, and one with a hostile name. Calm at first. */
const shop = Effect.gen(function*() {
  const orders = yield* makeBackend("orders", "postgres", 4)
  const cache = yield* makeBackend("cache", "redis", 2)
  const feed = yield* makeBackend(HOSTILE, "websocket", 1000)
  yield* holding(feed.pool, "a watcher")
  const scope = yield* Effect.scope
  // With the registry of its own that it is made in.
  const context = Context.merge(yield* Effect.context<never>(), yield* Layer.build(Lifecycle.layer()))
  const serveHere = (options: Parameters<typeof serve>[0]) =>
    serve(options).pipe(Effect.provideContext(context), Scope.provide(scope))
  const refused = Policy.run(
    cache.policy,
    Operation.make("cache.get", { idempotent: true }),
    (attempt) => attempt(Effect.fail(new Error(REFUSED)))
  )
  return {
    serve: serveHere,
    stats: ask,
    /** Four hold all there is of orders and three wait; cache cannot be reached, and its breaker opens. It stays so. */
    fail: Effect.gen(function*() {
      for (let n = 0; n < 7; n++) yield* holding(orders.pool, n === 0 ? HOSTILE : `order ${n}`)
      cache.server.reachable = false
      // The start has warmed it.
      yield* Pool.clear(cache.pool)
      yield* Effect.ignore(Pool.use(cache.pool, Effect.succeed, { timeout: "200 millis" }))
      yield* Effect.ignore(refused).pipe(Effect.repeat({ times: 5 }))
    }).pipe(Scope.provide(scope))
  }
})

export type Shop = Effect.Success<typeof shop>

/** Runs a shop until `close`. */
export const open = async () => {
  const scope = Effect.runSync(Scope.make())
  const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(effect)
  const made = await run(Backends.isolated(Scope.provide(shop, scope)))
  return { ...made, run, close: () => run(Scope.close(scope, Exit.void)) }
}
