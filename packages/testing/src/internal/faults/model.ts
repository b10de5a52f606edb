/**
 * What a fault is, and what it may know of and do to a connection.
 */

/**
 * A piece of what passes in one direction of a connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Packet {
  /** `up`: from the client to the target. */
  readonly direction: Direction
  /** `open`: the target is dialled. `end`: a FIN or a RST. */
  readonly kind: "open" | "data" | "end"
  /** 0 of an opening and of an end. */
  readonly bytes: number
}

/**
 * `up`: from the client to the target; `down`: from the target to the client.
 *
 * @since 0.1.0
 * @category models
 */
export type Direction = "up" | "down"

/**
 * What a fault may know of a connection and do to it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** How many connections the proxy had accepted before it. */
  readonly index: number
  /** Milliseconds of the proxy's clock, which only counts forward. */
  readonly now: () => number
  /** Ends both sides with a FIN; what is held back is lost. */
  readonly cut: () => void
  /** Ends both sides with a RST; what is held back is lost. */
  readonly reset: () => void
  /** Ends one direction with a FIN, behind what is held back; what is sent in it afterwards is lost. */
  readonly end: (direction: Direction) => void
}

/**
 * How long a packet is held back, in milliseconds. `Infinity`: until the proxy is restored.
 *
 * @since 0.1.0
 * @category models
 */
export type Hold = (packet: Packet) => number

/**
 * What happens to the packets of one connection. Several faults add up: a packet is held back for the sum of their
 * times, has at most the fewest bytes of their limits, and order is always preserved.
 *
 * @since 0.1.0
 * @category models
 */
export interface Passage {
  /** Called once for each packet, when it comes. Default: it is not held back. */
  readonly hold?: Hold | undefined
  /** How many bytes the next packet may have, at least 1: longer ones are split. Default: any number. */
  readonly limit?: ((direction: Direction) => number) | undefined
  /** Called for each packet of data that was handed on. */
  readonly passed?: ((packet: Packet) => void) | undefined
}

/**
 * A fault of the network. One with `refuses` or `passage` lasts until the proxy is restored, or until another of the
 * same name replaces it; one with `strike` alone happens once.
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
  /** Called once for each connection, also those that come while it lasts. A function alone is its `hold`. */
  readonly passage?: ((connection: Connection) => Hold | Passage) | undefined
}

/** The passage of a fault through one connection, in its one shape. */
export const passageOf = (fault: Fault, connection: Connection): Passage | undefined => {
  const passage = fault.passage?.(connection)
  return typeof passage === "function" ? { hold: passage } : passage
}
