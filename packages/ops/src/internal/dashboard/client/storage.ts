/** What the browser keeps for the page, where it lets it keep anything. */

const guarded = <A>(work: () => A, otherwise: A): A => {
  try {
    return work()
  } catch {
    // Storage is forbidden in some settings of some browsers; the page works without.
    return otherwise
  }
}

/** A value in a storage, or in memory only. */
export const stored = (which: "localStorage" | "sessionStorage", name: string) => {
  let inMemory = guarded(() => globalThis[which].getItem(name), null)
  return {
    get: (): string | undefined => inMemory ?? undefined,
    set: (value: string | undefined) => {
      inMemory = value ?? null
      guarded(() => {
        if (value === undefined) globalThis[which].removeItem(name)
        else globalThis[which].setItem(name, value)
      }, undefined)
    }
  }
}
