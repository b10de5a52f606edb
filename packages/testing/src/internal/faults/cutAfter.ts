import type { Fault } from "./model.ts"
import * as Options from "./options.ts"

/**
 * Lets exactly so many bytes pass, then ends both sides of the connection with a FIN: in the middle of an answer, say.
 * Each connection counts from when the fault begins or it comes, each direction by itself; the first that is through
 * ends both. A number that is not an integer of at least 1 is a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const cutAfter = (bytes: number): Fault => {
  Options.count("cutAfter", "bytes", bytes)
  return {
    name: "cutAfter",
    passage: (connection) => {
      // What has come and what was handed on differ while another fault holds packets back.
      const toCome = { up: bytes, down: bytes }
      const toPass = { up: bytes, down: bytes }
      return {
        limit: (direction) => toCome[direction] || Infinity,
        hold: (packet) => {
          if (packet.kind === "data" && toCome[packet.direction] === 0) return Infinity
          toCome[packet.direction] -= packet.bytes
          return 0
        },
        passed: (packet) => {
          toPass[packet.direction] -= packet.bytes
          if (toPass[packet.direction] <= 0) connection.cut()
        }
      }
    }
  }
}
