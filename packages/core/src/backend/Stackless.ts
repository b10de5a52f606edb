/**
 * Errors without a stack, for authors of backends: made on a timer, in a queue or by the parser of a socket, they would
 * name the runtime only, and capturing the stack is most of what an error costs. A constructor calls `begin` before `super`
 * and hands its answer to `end` right after.
 *
 * @since 0.1.0
 */
export { begin, end } from "../internal/stackless.ts"
