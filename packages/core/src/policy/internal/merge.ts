/** Settings to change: what is left out, or `undefined`, stays as it is. */
export type Changes<T> = { readonly [K in keyof T]?: T[K] | undefined }

/**
 * Settings with others over them.
 *
 * @internal
 */
export const merge = <T extends object>(given: T, changes: Changes<T>): T => {
  const defined = Object.entries(changes).filter(([, value]) => value !== undefined)
  // Each entry is one of `T`, at its name.
  return { ...given, ...Object.fromEntries(defined) as Partial<T> }
}
