import type { Fault } from "./model.ts"
import * as Options from "./options.ts"

/** Of the bytes of a second: small enough that a reader sees them trickle. */
const PIECES_PER_SECOND = 20

/** Below this a packet is not split, or a slow line would hold back a list of single bytes. */
const SMALLEST_PIECE = 256

/**
 * A line that takes so many bytes a second, each connection and each direction by itself. The sender is held up once
 * the proxy has a megabyte of it. A rate that is not an integer of at least 1 is a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const bandwidth = (bytesPerSecond: number): Fault => {
  const rate = Options.count("bandwidth", "bytesPerSecond", bytesPerSecond) / 1000
  const piece = Math.max(SMALLEST_PIECE, Math.ceil(bytesPerSecond / PIECES_PER_SECOND))
  return {
    name: "bandwidth",
    passage: ({ now }) => {
      const freeAt = { up: 0, down: 0 }
      return {
        limit: () => piece,
        hold: ({ bytes, direction }) => {
          const at = now()
          freeAt[direction] = Math.max(at, freeAt[direction]) + bytes / rate
          return freeAt[direction] - at
        }
      }
    }
  }
}
