/**
 * One connection: an undici `Client`, which has at most one socket, opened with its first request. And the count of all
 * sockets, which never exceeds the total.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type * as Net from "node:net"
import { buildConnector, Client } from "undici/index.js"
import type { DnsCache } from "./dns.ts"
import type { Settings } from "./settings.ts"

/** What is open, over all origins. */
export class Sockets {
  readonly connections = new Set<Connection>()
  opening = 0
  open = 0
  opened = 0
  closed = 0
  private readonly max: number

  constructor(max: number) {
    this.max = max
  }

  /**
   * Runs `connect` once there is room. There always is some to be made: whoever connects holds one of `max` permits and
   * no socket, so a socket that is open and not in use exists.
   */
  whenRoom(connect: () => void): void {
    if (this.open + this.opening < this.max) return connect()
    let idle: Connection | undefined
    for (const connection of this.connections) {
      if (connection.isIdle && (idle === undefined || connection.usedAt < idle.usedAt)) idle = connection
    }
    if (idle?.socket === undefined) return connect()
    idle.socket.once("close", connect)
    idle.socket.destroy()
  }
}

export class Connection {
  readonly client: Client
  readonly origin: string
  socket: Net.Socket | undefined
  /** Monotonic order of use. */
  usedAt = 0
  /** Whether any request went over it. */
  wasUsed = false
  private used = false
  /** Its socket closed or could not be opened: another connection takes its place. */
  private gone = false
  /** Errors of `connect`, which undici hands to the request as they are. */
  private connectError: Error | undefined
  private readonly sockets: Sockets
  private static uses = 0

  constructor(origin: string, settings: Settings, sockets: Sockets, dns: DnsCache) {
    this.origin = origin
    this.sockets = sockets
    sockets.connections.add(this)
    const own = { allowH2: false, lookup: dns.lookup, timeout: Duration.toMillis(settings.connectTimeout) }
    // Node's options are typed without regard to `exactOptionalPropertyTypes`, undici's with it.
    const dial = buildConnector(Object.assign({}, settings.tls, own) as buildConnector.BuildOptions)
    this.client = new Client(origin, {
      allowH2: false,
      connect: (options, callback) => this.connect(dial, dns, options, callback),
      // 0: undici asks the server to close after each response.
      pipelining: settings.keepAlive === undefined ? 0 : 1,
      headersTimeout: Math.ceil(Duration.toMillis(settings.headersTimeout)),
      bodyTimeout: Math.ceil(Duration.toMillis(settings.bodyTimeout)),
      ...keepAliveOf(settings.keepAlive)
    })
  }

  get isAlive(): boolean {
    return !this.gone && !this.client.destroyed && this.socket?.destroyed !== true
  }

  get isIdle(): boolean {
    return !this.used && this.socket !== undefined && !this.socket.destroyed
  }

  take(): void {
    this.used = this.wasUsed = true
    this.usedAt = ++Connection.uses
  }

  giveBack(): void {
    this.used = false
  }

  isConnectError(error: unknown): boolean {
    return error !== undefined && error === this.connectError
  }

  close(): Promise<void> {
    this.sockets.connections.delete(this)
    this.gone = true
    return this.client.destroy()
  }

  private connect(
    dial: buildConnector.connector,
    dns: DnsCache,
    options: buildConnector.Options,
    callback: buildConnector.Callback
  ): void {
    const { sockets } = this
    sockets.whenRoom(() => {
      sockets.opening++
      dial(options, (...result) => {
        sockets.opening--
        const [error, socket] = result
        if (error === null) this.opened(socket)
        else {
          this.gone = true
          this.connectError = error
          dns.forget(options.hostname)
        }
        callback(...result)
      })
    })
  }

  private opened(socket: Net.Socket): void {
    const { sockets } = this
    sockets.open++
    sockets.opened++
    this.socket = socket
    socket.once("close", () => {
      sockets.open--
      sockets.closed++
      if (this.socket === socket) this.socket = undefined
      this.gone = true
    })
  }
}

/** What a server says of its own limit may shorten ours, and not lengthen it. */
const keepAliveOf = (keepAlive: Duration.Duration | undefined) => {
  if (keepAlive === undefined) return {}
  const millis = Math.ceil(Duration.toMillis(keepAlive))
  return { keepAliveTimeout: millis, keepAliveMaxTimeout: millis }
}
