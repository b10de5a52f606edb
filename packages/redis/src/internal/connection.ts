/**
 * One connection: how it is opened and closed, and what is known of it meanwhile.
 *
 * @internal
 */
import * as Monotonic from "@breakwater/core/Monotonic"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { RedisError } from "../RedisError.ts"
import { Driver, type DriverOptions } from "./driver.ts"
import { fromDial } from "./driverError.ts"
import type { Settings } from "./settings.ts"

export class Connection {
  readonly driver: Driver
  /** Callers that use it now, where it is shared. */
  inUse = 0
  /** How many changes of the server were known when it was borrowed. */
  change = 0
  private isRetired = false
  private isSuspect = false
  private readonly listeners = new Set<() => void>()

  constructor(driver: Driver) {
    this.driver = driver
    driver.once("close", () => this.retire())
  }

  /** Cheap: asked at every borrow, return and command. */
  get isAlive(): boolean {
    return !this.isRetired && this.driver.isAlive
  }

  /** Takes it out of use; what runs on it may finish. */
  retire(): void {
    this.isRetired = true
    this.changed()
  }

  /** Ends whatever runs on it, now. */
  destroy(): void {
    this.driver.destroy()
    this.retire()
  }

  /** A command got no answer in time: whoever watches over it should find out why. */
  suspect(): void {
    this.isSuspect = true
    this.changed()
  }

  enter(): void {
    this.inUse++
  }

  leave(): void {
    this.inUse--
    if (this.inUse === 0) this.changed()
  }

  /** Waits until it is retired or suspect. */
  readonly disturbed: Effect.Effect<void> = Effect.andThen(
    this.until(() => this.isSuspect || !this.isAlive),
    Effect.sync(() => {
      this.isSuspect = false
    })
  )

  /** Waits until nobody uses it; nobody does any more when its socket is gone. */
  readonly quiet: Effect.Effect<void> = this.until(() => this.inUse === 0 || !this.driver.isAlive)

  private until(holds: () => boolean): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const check = () => {
        if (!holds()) return
        this.listeners.delete(check)
        resume(Effect.void)
      }
      this.listeners.add(check)
      check()
      return Effect.sync(() => this.listeners.delete(check))
    })
  }

  private changed(): void {
    for (const listener of Array.from(this.listeners)) listener()
  }
}

const optionsOf = ({ clientName, dialTimeout, server, tls }: Settings): DriverOptions => ({
  host: server.host,
  port: server.port,
  db: server.database,
  connectionName: clientName,
  connectTimeout: Duration.toMillis(dialTimeout),
  ...(server.username === undefined ? {} : { username: server.username }),
  ...(server.password === undefined ? {} : { password: Redacted.value(server.password) }),
  ...(tls === undefined ? {} : { tls })
})

/** A PING at the end: a server that loads its data or refuses the client answers only that. */
const connect = (settings: Settings, clock: Clock.Clock): Effect.Effect<Connection, RedisError> =>
  Effect.callback((resume) => {
    const now = () => Monotonic.millis(clock)
    const driver = new Driver(settings.name, optionsOf(settings), now)
    let told: unknown
    driver.on("error", (error) => {
      told ??= error
    })
    driver.connect().then(() => driver.ping()).then(
      () => resume(Effect.succeed(new Connection(driver))),
      (error: unknown) => {
        driver.destroy()
        resume(Effect.fail(fromDial(settings, told ?? driver.firstError ?? error)))
      }
    )
    return Effect.sync(() => driver.destroy())
  })

/** Done when the socket is gone, so that the pool's count is the server's. */
const close = (connection: Connection): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const { driver } = connection
    connection.retire()
    if (driver.status === "end") return resume(Effect.void)
    driver.once("end", () => resume(Effect.void))
    driver.disconnect()
  })

export const open = (settings: Settings): Effect.Effect<Connection, RedisError, Scope.Scope> =>
  Effect.acquireRelease(Effect.clockWith((clock) => connect(settings, clock)), close, { interruptible: true })

/** One round trip on it; a connection that does not answer in time is destroyed. */
export const probe = (connection: Connection, limit: Duration.Duration): Effect.Effect<boolean> =>
  Effect.tryPromise(() => connection.driver.ping()).pipe(
    Effect.timeout(limit),
    Effect.match({
      onSuccess: () => true,
      onFailure: () => {
        connection.destroy()
        return false
      }
    })
  )
