/**
 * Faults of a network as values, for `FaultProxy.apply`.
 *
 * A fault says at most three things: whether new connections are accepted
 * while it lasts, what happens to the connections that are open when it
 * begins, and how long each packet is held back. State that a connection
 * needs (a byte count, the time when the line is free again) lives in the
 * closure that `passage` returns.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"

/**
 * What a fault may know of bytes that pass, or of a connection's opening or end
 * (`bytes` is 0).
 *
 * @since 0.1.0
 * @category models
 */
export interface Packet {
  /** `up`: from the client to the target. */
  readonly direction: "up" | "down"
  readonly bytes: number
}

/**
 * What a fault may do to a connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** Ends both sides with a FIN; what is held back is lost. */
  readonly cut: () => void
  /** Ends both sides with a RST; what is held back is lost. */
  readonly reset: () => void
}

/**
 * How long a packet is held back, in milliseconds. `Infinity`: until the
 * proxy is restored.
 *
 * @since 0.1.0
 * @category models
 */
export type Passage = (packet: Packet) => number

/**
 * A fault of the network. One with `refuses` or `passage` lasts until the proxy
 * is restored, or until another of the same name replaces it; one with
 * `strike` alone happens once. Faults that last add up: a packet waits for the
 * sum of their times, and order is always preserved.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  readonly name: string
  /** New connections are refused while it lasts. Default: false. */
  readonly refuses?: boolean | undefined
  /** Called for each connection that is open when the fault begins. */
  readonly strike?: ((connection: Connection) => void) | undefined
  /** Called once for each connection, also those that come while it lasts. */
  readonly passage?: ((connection: Connection) => Passage) | undefined
}

/**
 * Holds everything back for a time, in each direction: a round trip takes
 * twice as long. A time that is not finite or is negative is a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const delay = (duration: Duration.Input): Fault => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(duration))
  if (!Number.isFinite(millis) || millis < 0) {
    throw new RangeError(`Fault.delay: duration is ${millis} ms, allowed is a finite time of at least 0`)
  }
  return { name: "delay", passage: () => () => millis }
}

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
