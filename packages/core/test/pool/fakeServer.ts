/** A server in memory that counts its sockets, and can be told to be slow, silent or gone. */
import { Data, Duration, Effect, type Scope } from "effect"
import * as Pool from "../../src/pool/Pool.ts"

export class Refused extends Data.TaggedError("Refused")<{ readonly dial: number }> {
  override get message() {
    return `dial ${this.dial} refused`
  }
}

export class Dead extends Data.TaggedError("Dead") {}

export interface Connection {
  readonly id: number
  /** The connection's own knowledge of its death. */
  dead: boolean
  /** Silently dropped: nothing answers, and nobody knows. */
  silent: boolean
  pings: number
}

export class FakeServer {
  /** What a dial does: takes `dialTime`, then is accepted, refused, or never answered. */
  mode: "accepts" | "refuses" | "black hole" = "accepts"
  dialTime: Duration.Input = 0
  closeTime: Duration.Input = 0
  dials = 0
  dialling = 0
  peakDialling = 0
  /** Sockets from the start of the dial to the end of the close. */
  sockets = 0
  peakSockets = 0
  opened = 0
  readonly dialTimes: Array<number> = []
  readonly connections = new Map<number, Connection>()

  get open(): number {
    return this.connections.size
  }

  readonly acquire: Effect.Effect<Connection, Refused, Scope.Scope> = Effect.suspend(() => {
    this.dials++
    this.dialling++
    this.sockets++
    this.peakDialling = Math.max(this.peakDialling, this.dialling)
    this.peakSockets = Math.max(this.peakSockets, this.sockets)
    const dial = this.dials
    return Effect.clockWith((clock) => Effect.sync(() => this.dialTimes.push(clock.currentTimeMillisUnsafe()))).pipe(
      Effect.andThen(this.delay(this.dialTime)),
      Effect.andThen(Effect.suspend(() => this.answer(dial))),
      Effect.ensuring(Effect.sync(() => this.dialling--)),
      Effect.onError(() => Effect.sync(() => this.sockets--))
    )
  })

  readonly ping = (connection: Connection): Effect.Effect<void, Dead> =>
    Effect.suspend((): Effect.Effect<void, Dead> => {
      connection.pings++
      if (connection.silent) return Effect.never
      return connection.dead ? Effect.fail(new Dead()) : Effect.void
    })

  /** Work that notices, at its end, that its connection was closed under it. */
  readonly query = (connection: Connection, time: Duration.Input): Effect.Effect<number, Dead> =>
    Effect.andThen(
      Effect.sleep(time),
      Effect.suspend(() =>
        this.connections.has(connection.id) ? Effect.succeed(connection.id) : Effect.fail(new Dead())
      )
    )

  private answer(dial: number): Effect.Effect<Connection, Refused, Scope.Scope> {
    if (this.mode === "black hole") return Effect.never
    if (this.mode === "refuses") return Effect.fail(new Refused({ dial }))
    return Effect.acquireRelease(
      Effect.sync(() => {
        const connection: Connection = { id: ++this.opened, dead: false, silent: false, pings: 0 }
        this.connections.set(connection.id, connection)
        return connection
      }),
      (connection) =>
        Effect.andThen(
          Effect.sync(() => this.connections.delete(connection.id)),
          Effect.ensuring(this.delay(this.closeTime), Effect.sync(() => this.sockets--))
        )
    )
  }

  private delay(time: Duration.Input): Effect.Effect<void> {
    return Duration.toMillis(time) === 0 ? Effect.void : Effect.sleep(time)
  }
}

/** A pool of its connections. */
export const poolOf = (
  server: FakeServer,
  options: Omit<Pool.Options<Connection, Refused, never>, "name" | "acquire">
) => Pool.make({ name: "p", acquire: server.acquire, ...options })
