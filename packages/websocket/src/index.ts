/**
 * WebSockets for Effect: a registry of connections for servers, and a client that reconnects. Written by `npm run
 * check -- --fix` from the modules' own comments.
 *
 * @since 0.1.0
 */

/**
 * The close codes of RFC 6455 and of IANA's registry, and what a client had better do about each.
 *
 * @since 0.1.0
 */
export * as CloseCode from "./CloseCode.ts"

/**
 * The WebSocket connections of a server: how many there may be, which of them are alive, what may wait for a slow one,
 * and an end that tells every peer.
 *
 * @since 0.1.0
 */
export * as ConnectionManager from "./ConnectionManager.ts"

/**
 * A WebSocket client that comes back: after every end that a new connection may cure it dials again, with full jitter
 * and never more often than its budget allows, greets the server, and sends what has waited meanwhile.
 *
 * @since 0.1.0
 */
export * as ReconnectingSocket from "./ReconnectingSocket.ts"

/**
 * What can go wrong with a connection, on the server's side and on the client's.
 *
 * @since 0.1.0
 */
export * as WebSocketError from "./WebSocketError.ts"

/**
 * How the errors of WebSockets count for policies.
 *
 * @since 0.1.0
 */
export * as WebSocketOutcome from "./WebSocketOutcome.ts"
