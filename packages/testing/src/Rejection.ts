/**
 * What promises reject with, for tests of code outside Effect.
 *
 * @since 0.1.0
 */

/**
 * The very thing that a promise rejects with; rejects itself where the promise resolves.
 *
 * @since 0.1.0
 * @category getters
 */
export const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => {
      throw new Error("it resolved")
    },
    (reason: unknown) => reason
  )
