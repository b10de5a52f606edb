import type { Connection, Fault } from "./model.ts"

const forgotten = new WeakSet<Connection>()

/**
 * Forgets the connections that are open, as a gateway does that loses its table: each looks alive until something is sent
 * on it, which does not arrive and is answered with a RST. New connections are as usual.
 *
 * @since 0.1.0
 * @category constructors
 */
export const forget: Fault = {
  name: "forget",
  strike: (connection) => void forgotten.add(connection),
  passage: (connection) => ({ direction, kind }) => {
    if (kind !== "data" || direction !== "up" || !forgotten.has(connection)) return 0
    connection.reset()
    return Infinity
  }
}
