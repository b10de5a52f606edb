/** The pools, each as a candidate that lends a connection to its users. */
import * as Pool from "@breakwater/core/Pool"
import * as Effect from "effect/Effect"
import * as EffectPool from "effect/Pool"
import type * as Scope from "effect/Scope"
import * as GenericPool from "generic-pool"
import * as LightningPool from "lightning-pool"
import * as Tarn from "tarn"
import { type Candidate, type Hold, type Load, nothing, ofEffect, ofPromises, type Who } from "../candidate.ts"

export interface Setting extends Load {
  /** Connections. Default 10. */
  readonly size?: number | undefined
  /** What users do with theirs. Default: nothing. */
  readonly hold?: Hold | undefined
}

/** Long enough that no borrow times out. */
const WAIT_MS = 600_000
const MAX_WAITING = 1_000_000

export interface Connection {
  readonly open: boolean
}

const connection = (): Connection => ({ open: true })

/** With lifetimes, lineage, times and numbers, as always, and a check, so that there is a window in which it is skipped. */
const everything: Partial<Pool.Options<Connection, never, never>> = { check: { test: () => Effect.void } }

/** Without what can be left out. How long leases are held is always counted. */
const bare: Partial<Pool.Options<Connection, never, never>> = { lifetime: { max: Infinity, idle: Infinity } }

export const breakwaterPool = (
  size: number,
  features: "everything" | "bare" = "everything"
): Effect.Effect<Pool.Pool<Connection>, unknown, Scope.Scope> =>
  Effect.tap(
    Pool.make({
      name: "bench",
      acquire: Effect.sync(connection),
      size: { min: size, max: size },
      wait: { timeout: WAIT_MS, maxWaiting: MAX_WAITING, nested: features === "bare" ? "allow" : "deadlock" },
      dial: { concurrency: size },
      ...(features === "bare" ? bare : everything)
    }),
    Pool.warm
  )

export const effectPool = (size: number): Effect.Effect<EffectPool.Pool<Connection>, never, Scope.Scope> =>
  EffectPool.make({ acquire: Effect.sync(connection), size })

export const breakwater = (who: Who, { hold = nothing, size = 10, ...load }: Setting): Candidate =>
  ofEffect(who, Effect.map(breakwaterPool(size), (pool) => () => Pool.use(pool, () => hold.effect)), load)

export const effect = (who: Who, { hold = nothing, size = 10, ...load }: Setting): Candidate =>
  ofEffect(who, Effect.map(effectPool(size), (pool) => () => EffectPool.use(pool, () => hold.effect)), load)

/**
 * The least that lends to fibers and loses nothing when one of them is interrupted: an array, a queue, a finalizer. It
 * knows no time, no limit of the queue, no number and no error; what it costs is Effect's own.
 */
export const least = (who: Who, { hold = nothing, size = 10, ...load }: Setting): Candidate =>
  ofEffect(
    who,
    Effect.sync(() => {
      const idle = Array.from({ length: size }, connection)
      const waiting = new Set<(item: Connection) => void>()
      const giveBack = (item: Connection): void => {
        const [next] = waiting
        if (next === undefined) idle.push(item)
        else {
          waiting.delete(next)
          next(item)
        }
      }
      return () =>
        Effect.suspend(() => {
          let lent: Connection | undefined
          const borrowed = Effect.suspend(() => {
            lent = idle.pop()
            if (lent !== undefined) return hold.effect
            return Effect.callback<void>((resume) => {
              const take = (item: Connection) => {
                lent = item
                resume(hold.effect)
              }
              waiting.add(take)
              return Effect.sync(() => waiting.delete(take))
            })
          })
          return Effect.onExitPrimitive(borrowed, () => {
            if (lent !== undefined) giveBack(lent)
            return undefined
          })
        })
    }),
    load
  )

/** What the pools of promises have in common. */
interface Lender {
  readonly acquire: () => Promise<Connection>
  readonly release: (item: Connection) => unknown
  readonly close: () => Promise<unknown>
}

const lending = (who: Who, open: (size: number) => Promise<Lender>, setting: Setting): Candidate => {
  const { hold = nothing, size = 10, ...load } = setting
  return ofPromises(who, {
    open: () => open(size),
    op: (pool) => async () => {
      const item = await pool.acquire()
      const held = hold.promise()
      if (held !== undefined) await held
      pool.release(item)
    },
    close: (pool) => pool.close()
  }, load)
}

const factory = { create: async () => connection(), destroy: async () => {} }

export const genericPool = (who: Who, setting: Setting): Candidate =>
  lending(who, async (size) => {
    const pool = GenericPool.createPool<Connection>(factory, { min: size, max: size })
    await pool.ready()
    return {
      acquire: () => pool.acquire(),
      release: (item) => pool.release(item),
      close: async () => {
        await pool.drain()
        await pool.clear()
      }
    }
  }, setting)

export const tarn = (who: Who, setting: Setting): Candidate =>
  lending(who, async (size) => {
    const pool = new Tarn.Pool<Connection>({ ...factory, min: size, max: size, acquireTimeoutMillis: WAIT_MS })
    return {
      acquire: () => pool.acquire().promise,
      release: (item) => pool.release(item),
      close: () => pool.destroy()
    }
  }, setting)

export const lightningPool = (who: Who, setting: Setting): Candidate =>
  lending(who, async (size) => {
    const pool = LightningPool.createPool<Connection>(factory, {
      min: size,
      max: size,
      acquireTimeoutMillis: WAIT_MS,
      maxQueue: MAX_WAITING
    })
    return { acquire: () => pool.acquire(), release: (item) => pool.release(item), close: () => pool.closeAsync(0) }
  }, setting)
