/** Our pool, each time with one thing wrong that the behaviour of that number forbids. */
import type { Conformance } from "../../src/index.ts"
import { breakwater } from "./breakwater.ts"

type Make = (setup: Conformance.Setup) => Promise<Conformance.Pool>

const ours: Make = async (setup) => breakwater.make(setup)

const made = (change: (setup: Conformance.Setup) => Partial<Conformance.Setup>): Make => (setup) =>
  ours({ ...setup, ...change(setup) })

const served = (change: (server: Conformance.Server) => Partial<Conformance.Server>): Make =>
  made(({ server }) => ({ server: { ...server, ...change(server) } }))

const faced = (change: (pool: Conformance.Pool) => Partial<Conformance.Pool>): Make => async (setup) => {
  const pool = await ours(setup)
  return { ...pool, ...change(pool) }
}

/** Dials that nobody waits for. */
const alsoDialling = (more: number) =>
  served(({ open }) => ({
    open: (signal) => {
      for (let n = 0; n < more; n++) void open().catch(() => {})
      return open(signal)
    }
  }))

const blind = served(() => ({ check: async () => {} }))

let newest = 0

export const spoiled: Readonly<Record<number, Make>> = {
  1: made(({ max }) => ({ max: max + 1 })),
  2: made(({ timeout }) => ({ timeout: timeout + 1 })),
  4: made(({ maxWaiting = 1000 }) => ({ maxWaiting: maxWaiting + 1 })),
  5: faced(({ acquire }) => ({ acquire: (options) => acquire({ ...options, priority: newest++ }) })),
  // Who leaves is let go, but the lease comes all the same and is nobody's.
  6: faced(({ acquire }) => ({
    acquire: (options) =>
      Promise.race([
        acquire({ ...options, signal: undefined }),
        new Promise<never>((_, reject) => options?.signal?.addEventListener("abort", () => reject(new Error("left"))))
      ])
  })),
  7: faced(({ acquire, clear }) => ({
    acquire: (options) =>
      acquire(options).catch((error: unknown) => {
        clear?.(true)
        throw error
      })
  })),
  8: alsoDialling(2),
  9: made(() => ({ dialConcurrency: 3 })),
  10: served(({ open }) => ({ open: () => open().catch(() => open()).catch(() => open()).catch(() => open()) })),
  11: alsoDialling(3),
  12: blind,
  13: made(({ check }) => ({ check: check && { ...check, skipWithin: 0 } })),
  14: blind,
  15: made(() => ({ lifetime: undefined })),
  16: made(() => ({ reset: false })),
  17: faced(({ events }) => ({
    events: (listener) => events?.((event) => listener({ ...event, label: undefined })) ?? (() => {})
  })),
  18: faced(() => ({ use: undefined })),
  19: faced(() => ({ invalidate: () => {} })),
  20: faced(({ clear }) => ({ clear: () => clear?.(false) })),
  21: faced(() => ({ pause: () => {}, resume: () => {} })),
  22: faced(({ drain }) => ({ drain: async (deadline) => await drain?.(2 * deadline) ?? {} })),
  23: faced(({ resize }) => ({ resize: ({ max, min }) => resize?.({ min, max: max + 1 }) })),
  24: made(() => ({ codel: undefined })),
  25: faced(({ stats }) => ({
    stats: () => {
      const now = stats()
      return { ...now, waiting: Math.max(0, now.waiting - 1) }
    }
  })),
  26: made(() => ({ keep: undefined }))
}
