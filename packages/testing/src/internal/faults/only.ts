import { type Direction, type Fault, passageOf } from "./model.ts"

/**
 * A fault in one direction alone, beside the same one in the other: a line that is fast up and slow down, a black hole
 * that swallows answers. A fault that has no passage knows no direction: a `RangeError`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const only = (direction: Direction, fault: Fault): Fault => {
  if (fault.passage === undefined) {
    throw new RangeError(`Fault.only: fault is ${fault.name}, allowed are faults with a passage`)
  }
  return {
    ...fault,
    name: `${fault.name} ${direction}`,
    passage: (connection) => {
      const inner = passageOf(fault, connection) ?? {}
      return {
        hold: (packet) => packet.direction === direction ? inner.hold?.(packet) ?? 0 : 0,
        limit: (of) => of === direction ? inner.limit?.(of) ?? Infinity : Infinity,
        passed: (packet) => {
          if (packet.direction === direction) inner.passed?.(packet)
        }
      }
    }
  }
}
