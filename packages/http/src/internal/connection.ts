/**
 * One connection: an undici `Client`, which has at most one socket, opened with its first request. And the count of all
 * sockets, which never exceeds the total.
 *
 * @internal
 */
import * as Histogram from "@breakwater/core/Histogram"
import * as Monotonic from "@breakwater/core/Monotonic"
import type { LastError } from "@breakwater/core/Pool"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
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
  /** Requests that got a connection that was open already. */
  reused = 0
  /** How long lookup, connect and TLS handshake took together. */
  readonly create = Histogram.make()
  lastError: LastError | undefined
  private readonly clock: Clock.Clock
  /** What ends the sockets that are no request's. */
  private readonly others = new Set<Latch.Latch>()
  private readonly waiting: Array<() => void> = []
  private readonly max: number

  constructor(max: number, clock: Clock.Clock) {
    this.max = max
    this.clock = clock
  }

  /** Monotonic milliseconds. */
  now(): number {
    return Monotonic.millis(this.clock)
  }

  failed(error: Error): void {
    this.lastError = { at: this.clock.currentTimeMillisUnsafe(), error }
  }

  /**
   * Runs `connect` once there is room, which there soon is: whoever connects holds one of `max` permits and no socket, so
   * one of the open sockets is not in use, and is closed, or is closing already; or is no request's, and makes way.
   */
  whenRoom(connect: () => void): void {
    if (this.hasRoom) return connect()
    this.waiting.push(connect)
    const [other] = this.others
    if (other !== undefined) {
      this.others.delete(other)
      other.openUnsafe()
      return this.left()
    }
    let idle: Connection | undefined
    for (const connection of this.connections) {
      if (connection.isIdle && (idle === undefined || connection.usedAt < idle.usedAt)) idle = connection
    }
    idle?.socket?.destroy()
  }

  /** A socket closed, or was not opened. */
  left(): void {
    if (this.hasRoom) this.waiting.shift()?.()
  }

  /** Runs what opens a socket that is no request's, for as long as there is room for it; false where there is none. */
  beside(connect: Effect.Effect<boolean>): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      if (!this.hasRoom) return Effect.succeed(false)
      const other = Latch.makeUnsafe(false)
      this.others.add(other)
      return Effect.ensuring(
        Effect.raceFirst(connect, Effect.as(other.await, false)),
        Effect.sync(() => {
          if (this.others.delete(other)) this.left()
        })
      )
    })
  }

  private get hasRoom(): boolean {
    return this.open + this.opening + this.others.size < this.max
  }
}

/** What a connection is made with. */
export interface Means {
  readonly settings: Settings
  readonly sockets: Sockets
  readonly dns: DnsCache
  /** No connection could be opened. */
  readonly onUnreachable: () => void
  /** One has been. */
  readonly onReached: () => void
}

export class Connection {
  readonly client: Client
  readonly origin: string
  socket: Net.Socket | undefined
  /** The same from the moment of dialling on. */
  private dialled: Net.Socket | undefined
  /** Monotonic order of use. */
  usedAt = 0
  private used = false
  /** Its socket closed or could not be opened: another connection takes its place. */
  private gone = false
  /** Errors of `connect`, which undici hands to the request as they are. */
  private connectError: Error | undefined
  private readonly sockets: Sockets
  private readonly onUnreachable: () => void
  private readonly onReached: () => void
  private static uses = 0

  constructor(origin: string, { dns, onReached, onUnreachable, settings, sockets }: Means) {
    this.origin = origin
    this.onUnreachable = onUnreachable
    this.onReached = onReached
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
    if (this.isIdle) this.sockets.reused++
    this.used = true
    this.usedAt = ++Connection.uses
  }

  giveBack(): void {
    this.used = false
  }

  isConnectError(error: unknown): boolean {
    return error !== undefined && error === this.connectError
  }

  /** Ends when its socket is closed: until then it counts. */
  async close(): Promise<void> {
    this.gone = true
    const socket = this.socket ?? this.dialled
    await this.client.destroy()
    if (socket !== undefined && !socket.closed) {
      await new Promise<void>((resolve) => {
        socket.once("close", () => resolve())
        socket.destroy()
      })
    }
    this.sockets.connections.delete(this)
  }

  private connect(
    dial: buildConnector.connector,
    dns: DnsCache,
    options: buildConnector.Options,
    callback: buildConnector.Callback
  ): void {
    this.sockets.whenRoom(() => {
      // Closed while it waited: the room is for the next.
      if (this.client.destroyed) return this.sockets.left()
      this.dial(dial, options, (error, socket) => {
        if (error !== null) {
          this.connectError = error
          dns.forget(options.hostname)
          this.onUnreachable()
          callback(error, null)
        } else {
          this.onReached()
          callback(null, socket)
        }
      })
    })
  }

  private dial(
    dial: buildConnector.connector,
    options: buildConnector.Options,
    done: buildConnector.Callback
  ): void {
    const { sockets } = this
    let state: "opening" | "open" | "closed" = "opening"
    const leave = () => {
      if (state === "closed") return
      if (state === "opening") sockets.opening--
      else {
        sockets.open--
        sockets.closed++
      }
      state = "closed"
      this.socket = this.dialled = undefined
      this.gone = true
      sockets.left()
    }
    sockets.opening++
    const since = sockets.now()
    const dialling: unknown = dial(options, (error, socket) => {
      if (error !== null) {
        sockets.failed(error)
        leave()
        return done(error, null)
      }
      sockets.opening--
      sockets.open++
      sockets.opened++
      sockets.create.record(sockets.now() - since)
      state = "open"
      this.socket = socket
      done(null, socket)
    })
    // Typed as if it returned nothing; it returns the socket, which closing must reach before it is connected.
    const dialled = dialling as Net.Socket
    this.dialled = dialled
    dialled.once("close", leave)
  }
}

/** What a server says of its own limit may shorten ours, and not lengthen it. */
const keepAliveOf = (keepAlive: Duration.Duration | undefined) => {
  if (keepAlive === undefined) return {}
  const millis = Math.ceil(Duration.toMillis(keepAlive))
  return { keepAliveTimeout: millis, keepAliveMaxTimeout: millis }
}
