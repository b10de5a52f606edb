/**
 * What this package takes from the runtime, and all of them have: only this much, so that nothing else of one of them
 * creeps in. Whoever uses the package sees these names by the types of their own runtime.
 */

interface AbortSignal {
  readonly aborted: boolean
  throwIfAborted(): void
}
