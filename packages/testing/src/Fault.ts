/**
 * Faults of a network as values, for `FaultProxy.apply`.
 *
 * A fault says at most three things: whether new connections are accepted
 * while it lasts, what happens to the connections that are open when it
 * begins, and what happens to each packet. State that a connection needs (a
 * byte count, the time when the line is free again) lives in the closure that
 * `passage` returns, so that one value serves any number of proxies.
 *
 * Faults that last add up; `Fault.only` keeps one to a direction.
 *
 * @since 0.1.0
 */
import type { Fault } from "./internal/faults/model.ts"

export type { Connection, Direction, Fault, Hold, Packet, Passage } from "./internal/faults/model.ts"

export { bandwidth } from "./internal/faults/bandwidth.ts"
export { cutAfter } from "./internal/faults/cutAfter.ts"
export { delay } from "./internal/faults/delay.ts"
export { forget } from "./internal/faults/forget.ts"
export { halfClose } from "./internal/faults/halfClose.ts"
export { jitter } from "./internal/faults/jitter.ts"
export { only } from "./internal/faults/only.ts"
export { slowClose } from "./internal/faults/slowClose.ts"

/**
 * Ends every open connection with a FIN, once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const cut: Fault = { name: "cut", strike: (connection) => connection.cut() }

/**
 * Ends every open connection with a RST, once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const reset: Fault = { name: "reset", strike: (connection) => connection.reset() }

/**
 * Lets nothing pass and closes nothing. New connections are accepted, and
 * the target does not hear of them. As TCP does by retransmission, what was
 * sent meanwhile, an end or a reset too, arrives after the proxy is restored,
 * unless its connection was cut or reset first.
 *
 * @since 0.1.0
 * @category constructors
 */
export const blackHole: Fault = { name: "blackHole", passage: () => () => Infinity }

/**
 * Refuses new connections (ECONNREFUSED); open ones stay.
 *
 * @since 0.1.0
 * @category constructors
 */
export const refuse: Fault = { name: "refuse", refuses: true }
