/** pg-pool, with a client that speaks the protocol of the kit in place of Postgres'. */
import { EventEmitter } from "node:events"
import PgPool, { type Lent } from "pg-pool"
import type { Conformance } from "../../src/index.ts"
import { versionOf } from "./versions.ts"

/** What pg-pool asks of a client. */
const clientOf = (server: Conformance.Server) =>
  class Client extends EventEmitter {
    connection: Conformance.Connection | undefined
    readonly controller = new AbortController()
    private isOpen = true

    constructor() {
      super()
      // As pg's own users do: an error that nobody listens to would end the process.
      this.on("error", () => {})
    }

    connect(callback: (error?: unknown) => void): void {
      server.open(this.controller.signal).then((connection) => {
        this.connection = connection
        connection.onLost(() => this.lost())
        callback()
      }, callback)
    }

    end(callback?: () => void): void {
      this.isOpen = false
      this.controller.abort()
      const closed = this.connection === undefined ? Promise.resolve() : server.close(this.connection)
      void closed.then(() => {
        this.emit("end")
        callback?.()
      })
    }

    /** pg's own name: by it pg-pool tells whether a client may be lent again. */
    get ["_queryable"](): boolean {
      return this.isOpen
    }

    isConnected(): boolean {
      return this.connection !== undefined
    }

    private lost(): void {
      if (!this.isOpen) return
      this.isOpen = false
      this.emit("error", new Error("Connection terminated unexpectedly"))
    }
  }

type Client = InstanceType<ReturnType<typeof clientOf>>

export const pgPool: Conformance.Adapter = {
  name: "pg-pool",
  version: versionOf("pg-pool"),
  make: ({ lifetime, max, min, server, timeout }) => {
    const lent = new Map<Conformance.Connection, Client & Lent>()
    const broken = new WeakSet<Conformance.Connection>()
    const pool = new PgPool<Client>({
      Client: clientOf(server),
      max,
      min,
      connectionTimeoutMillis: timeout,
      ...(lifetime !== undefined && { maxLifetimeSeconds: lifetime / 1000 })
    })
    // Without a listener each of them would end the process.
    pool.on("error", () => {})
    return {
      acquire: async () => {
        const client = await pool.connect()
        const connection = client.connection!
        lent.set(connection, client)
        return connection
      },
      release: (connection) => lent.get(connection)?.release(broken.has(connection)),
      invalidate: (connection) => broken.add(connection),
      stats: () => ({
        idle: pool.idleCount,
        used: pool.totalCount - pool.idleCount,
        waiting: pool.waitingCount
      }),
      close: () => pool.end()
    }
  }
}
