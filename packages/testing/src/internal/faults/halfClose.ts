import type { Direction, Fault } from "./model.ts"

/**
 * Ends one direction of every open connection with a FIN, once, while the other goes on. `down`: the client reads an
 * end and can still write; what the target answers is lost. `up`: the target reads an end, and its answers still come.
 *
 * @since 0.1.0
 * @category constructors
 */
export const halfClose = (direction: Direction): Fault => ({
  name: "halfClose",
  strike: (connection) => connection.end(direction)
})
