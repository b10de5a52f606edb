/**
 * Has clients close their kept connections while the process drains. A server that ends closes those that are idle, in
 * the middle of the next request for whoever is just sending one, and waits for the others for as long as their clients
 * keep them. An answer with `connection: close` is the last of its connection, and both sides know.
 *
 * @since 0.1.0
 */
import * as Lifecycle from "@breakwater/core/Lifecycle"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"

const ENDING = new Set<Lifecycle.Phase>(["draining", "stopped"])

/**
 * Puts `connection: close` on every answer of a router, those of errors, of unknown paths and of `Ops` included, from the
 * first word of the end on. Merged with the routes, once for all of them. Global middleware that answers by itself hides
 * its answers from what is merged after it. Over HTTP/2 servers drop the header: it has a word of its own for the end.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | Lifecycle.Lifecycle> = HttpRouter.middleware(
  Effect.map(Lifecycle.Lifecycle, ({ phase }) =>
    // Not of the handler's value: what a failure is answered with is known only when it is sent.
    HttpEffect.withPreResponseHandler((_, response) =>
      Effect.map(
        phase,
        (now) => ENDING.has(now) ? HttpServerResponse.setHeader(response, "connection", "close") : response
      )
    )),
  { global: true }
)
