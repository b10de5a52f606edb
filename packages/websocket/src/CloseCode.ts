/**
 * The close codes of RFC 6455 and of IANA's registry, and what a client had better do about each.
 *
 * @since 0.1.0
 */

/**
 * The purpose of the connection is fulfilled.
 *
 * @since 0.1.0
 * @category codes
 */
export const normal = 1000

/**
 * The endpoint goes away: a server that shuts down, a page that is left. Sent on drain and to idle connections.
 *
 * @since 0.1.0
 * @category codes
 */
export const goingAway = 1001

/**
 * The other side broke the protocol.
 *
 * @since 0.1.0
 * @category codes
 */
export const protocolError = 1002

/**
 * The close frame named no code. Never sent.
 *
 * @since 0.1.0
 * @category codes
 */
export const noStatus = 1005

/**
 * The connection ended without a close frame. Never sent.
 *
 * @since 0.1.0
 * @category codes
 */
export const abnormal = 1006

/**
 * What the client does is not allowed. Sent when a key has all the connections it may have.
 *
 * @since 0.1.0
 * @category codes
 */
export const policyViolation = 1008

/**
 * The server met something that it did not expect. Sent when a handler fails.
 *
 * @since 0.1.0
 * @category codes
 */
export const internalError = 1011

/**
 * The server has no room now. Sent when `connections.max` are open.
 *
 * @since 0.1.0
 * @category codes
 */
export const tryAgainLater = 1013

/**
 * What a client does when its connection ended: connect again, connect again after a longer wait, or stop.
 *
 * @since 0.1.0
 * @category models
 */
export type Reaction = "retry" | "later" | "stop"

/**
 * Connecting again would meet the same answer: the purpose is fulfilled (1000), or the server does not accept what this
 * client does (1002, 1003, 1007 to 1010), or who it is (3000 unauthorized, 3003 forbidden).
 */
const STOP = new Set([1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003])

/**
 * What `ReconnectingSocket` does about a code: 1013 waits longer, those that a repetition cannot cure stop, and every
 * other one, codes of applications (4000 to 4999) included, retries.
 *
 * @since 0.1.0
 * @category getters
 */
export const reaction = (code: number): Reaction => {
  if (code === tryAgainLater) return "later"
  return STOP.has(code) ? "stop" : "retry"
}

/**
 * The same for the HTTP status of a handshake that was refused: 429 and 503 wait longer, other 4xx but 408 and 425 stop.
 *
 * @since 0.1.0
 * @category getters
 */
export const reactionToStatus = (status: number): Reaction => {
  if (status === 429 || status === 503) return "later"
  return status >= 400 && status < 500 && status !== 408 && status !== 425 ? "stop" : "retry"
}

/**
 * Whether a code may be put into a close frame by a program: RFC 6455 reserves the others.
 *
 * @since 0.1.0
 * @category guards
 */
export const isSendable = (code: number): boolean =>
  Number.isInteger(code) &&
  ((code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999))
