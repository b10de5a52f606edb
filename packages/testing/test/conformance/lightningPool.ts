/** lightning-pool. */
import * as LightningPool from "lightning-pool"
import type { Conformance } from "../../src/index.ts"
import { versionOf } from "./versions.ts"

export const lightningPool: Conformance.Adapter = {
  name: "lightning-pool",
  version: versionOf("lightning-pool"),
  make: ({ check, max, maxWaiting, min, reset, server, timeout }) => {
    const broken = new WeakSet<Conformance.Connection>()
    const pool = LightningPool.createPool<Conformance.Connection>({
      create: () => server.open(),
      destroy: (connection) => server.close(connection),
      validate: async (connection) => {
        if (!connection.isAlive) throw new Error("the connection is gone")
        if (check !== undefined) await server.check(connection)
      },
      ...(reset === true && { reset: (connection: Conformance.Connection) => server.reset(connection) })
    }, {
      min,
      max,
      validation: true,
      acquireTimeoutMillis: timeout,
      ...(maxWaiting !== undefined && { maxQueue: maxWaiting })
    })
    // Without a listener each of them would end the process.
    pool.on("error", () => {})
    if (min > 0) pool.start()
    return {
      acquire: () => pool.acquire(),
      release: (connection) => broken.has(connection) ? pool.destroyAsync(connection) : pool.releaseAsync(connection),
      invalidate: (connection) => broken.add(connection),
      stats: () => ({
        idle: pool.available,
        used: pool.acquired,
        waiting: pool.pending,
        opening: pool.creating
      }),
      close: () => pool.closeAsync(0),
      drain: async (deadline) => {
        await pool.closeAsync(deadline)
        return {}
      }
    }
  }
}
