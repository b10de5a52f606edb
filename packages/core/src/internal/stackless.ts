/**
 * Errors without a stack: made on a timer or in the queue, they would name the runtime only, and capturing the stack is
 * most of what an error costs.
 *
 * A constructor calls `begin` before `super` and hands its answer to `end` right after.
 *
 * @internal
 */

// Reflect, since the property is not standard, and an assignment throws where Error is frozen.
export const begin = (): unknown => {
  const limit: unknown = Reflect.get(Error, "stackTraceLimit")
  Reflect.set(Error, "stackTraceLimit", 0)
  return limit
}

export const end = (limit: unknown): void => {
  Reflect.set(Error, "stackTraceLimit", limit)
}
