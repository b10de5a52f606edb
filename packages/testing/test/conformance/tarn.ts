/** tarn, as knex uses it: a connection is looked at before it is lent. */
import * as Tarn from "tarn"
import type { Conformance } from "../../src/index.ts"
import { versionOf } from "./versions.ts"

export const tarn: Conformance.Adapter = {
  name: "tarn",
  version: versionOf("tarn"),
  accepts: ["signal"],
  make: ({ check, dialTimeout, max, min, server, timeout }) => {
    const broken = new WeakSet<Conformance.Connection>()
    const isSound = (connection: Conformance.Connection) => connection.isAlive && !broken.has(connection)
    const validate = (connection: Conformance.Connection) =>
      check !== undefined && isSound(connection)
        ? server.check(connection).then(() => true, () => false)
        : isSound(connection)
    const pool = new Tarn.Pool<Conformance.Connection>({
      create: () => server.open(),
      destroy: (connection) => server.close(connection),
      // It waits for a promise, which its type does not say.
      validate: validate as (connection: Conformance.Connection) => boolean,
      min,
      max,
      acquireTimeoutMillis: timeout,
      ...(dialTimeout !== undefined && { createTimeoutMillis: dialTimeout })
    })
    return {
      acquire: async (options) => {
        const pending = pool.acquire()
        options?.signal?.addEventListener("abort", () => pending.abort(), { once: true })
        const timer = options?.deadline === undefined ? undefined : setTimeout(() => pending.abort(), options.deadline)
        try {
          return await pending.promise
        } finally {
          clearTimeout(timer)
        }
      },
      release: (connection) => pool.release(connection),
      invalidate: (connection) => broken.add(connection),
      stats: () => ({
        idle: pool.numFree(),
        used: pool.numUsed(),
        waiting: pool.numPendingAcquires(),
        opening: pool.numPendingCreates()
      }),
      close: () => pool.destroy()
    }
  }
}
