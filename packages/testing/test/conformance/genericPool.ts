/** generic-pool. Its lowest number is the highest priority. */
import * as GenericPool from "generic-pool"
import type { Conformance } from "../../src/index.ts"
import { versionOf } from "./versions.ts"

const PRIORITIES = 3

export const genericPool: Conformance.Adapter = {
  name: "generic-pool",
  version: versionOf("generic-pool"),
  accepts: ["priority"],
  make: ({ check, max, maxWaiting, min, server, timeout }) => {
    const broken = new WeakSet<Conformance.Connection>()
    const pool = GenericPool.createPool<Conformance.Connection>({
      create: () => server.open(),
      destroy: (connection) => server.close(connection),
      validate: async (connection) => {
        if (!connection.isAlive) return false
        if (check === undefined) return true
        return server.check(connection).then(() => true, () => false)
      }
    }, {
      min,
      max,
      testOnBorrow: true,
      acquireTimeoutMillis: timeout,
      priorityRange: PRIORITIES,
      ...(maxWaiting !== undefined && { maxWaitingClients: maxWaiting }),
      ...(check?.keepalive !== undefined && { evictionRunIntervalMillis: check.keepalive })
    })
    // Without a listener each of them would end the process.
    pool.on("factoryCreateError", () => {})
    return {
      acquire: (options) => pool.acquire(PRIORITIES - 1 - (options?.priority ?? 0)),
      release: (connection) => broken.has(connection) ? pool.destroy(connection) : pool.release(connection),
      invalidate: (connection) => broken.add(connection),
      stats: () => ({ idle: pool.available, used: pool.borrowed, waiting: pool.pending }),
      close: async () => {
        await pool.drain()
        await pool.clear()
      },
      clear: () => pool.clear()
    }
  }
}
