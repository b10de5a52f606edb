/**
 * Errors without a stack: see the module of this name in `backend`.
 *
 * @internal
 */

/**
 * Before `super`: from now on no stack is captured. Gives what `end` wants back.
 *
 * @since 0.1.0
 * @category constructing
 */
// Reflect, since the property is not standard, and an assignment throws where Error is frozen.
export const begin = (): unknown => {
  const limit: unknown = Reflect.get(Error, "stackTraceLimit")
  Reflect.set(Error, "stackTraceLimit", 0)
  return limit
}

/**
 * Right after `super`, with what `begin` gave: stacks are captured as before.
 *
 * @since 0.1.0
 * @category constructing
 */
export const end = (limit: unknown): void => {
  Reflect.set(Error, "stackTraceLimit", limit)
}
