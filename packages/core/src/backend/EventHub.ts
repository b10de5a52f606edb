/**
 * Events of a backend for whoever listens: a stream that ends with its owner, from which a slow listener loses the
 * oldest; and nothing at all while nobody listens, since `publish` is undefined then and the event in
 * `hub.publish?.({ … })` is never built.
 *
 * @since 0.1.0
 */
export { EventHub } from "../internal/eventHub.ts"
