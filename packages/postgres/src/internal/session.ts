/**
 * One session over a socket of our own, so that its death shows while it is idle, and work that no longer answers can
 * be ended at once.
 *
 * sql-pg asks for a socket again for every CancelRequest. That second call is where an interrupted statement is given
 * a grace and then cut, instead of the five seconds that sql-pg would wait for a server that no longer answers.
 *
 * @internal
 */
import * as Activity from "@breakwater/core/Activity"
import { measured, type Operations } from "@breakwater/core/Backend"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import * as Net from "node:net"
import { type ConnectionLost, isPostgresError, PostgresError } from "../PostgresError.ts"
import { check as checkRole, isReadOnlyRefusal, type Role } from "./role.ts"
import type { Host, Settings } from "./settings.ts"
import { dialError, serverFields } from "./sqlError.ts"
import type { StatementLog } from "./statementLog.ts"

/** How long an interrupted statement may take to end once its CancelRequest is on the way. */
const CANCEL_GRACE = Duration.millis(100)

/** How long a goodbye may take before the socket is destroyed. */
const CLOSE_GRACE = Duration.millis(500)

const PREFER_TLS = Redacted.make("postgres:///?sslmode=prefer")

const KEEP_ALIVE_MILLIS = 30_000

/** The sockets of CancelRequests: outside `size.max`, hence with a limit of their own. */
export interface Cancels {
  readonly limit: number
  /** Open now. */
  open: number
  /** Requests sent. */
  sent: number
  /** Statements cut without a request, since `limit` were open. */
  cut: number
}

export type Retired = "Broken" | "Cancelled" | "Invalidated"

export type Unfit = Retired | "WrongRole"

/** What sessions share. */
export interface Backing {
  readonly settings: Settings
  readonly cancels: Cancels
  /** How long statements take. */
  readonly operations: Operations
  readonly log: StatementLog
  /** Which of the hosts the last session was opened at. */
  foundAt: number
  /** A session must not be lent again. */
  readonly onUnfit: (session: Session, why: Unfit) => void
}

/** What became of an interrupted statement. */
export interface Told {
  /** The server has confirmed that it was cancelled. */
  cancelled: boolean
}

const QUERY_CANCELED = "57014"

const isCancelled = (exit: Exit.Exit<unknown, SqlError>): boolean =>
  Exit.isFailure(exit) &&
  exit.cause.reasons.some((reason) => reason._tag === "Fail" && serverFields(reason.error)?.code === QUERY_CANCELED)

export class Session {
  /** Set as soon as it is connected; nobody sees a session before. */
  pg!: PgConnection.PgConnection
  retired: Retired | undefined
  /** Whoever has it now has asked for a transaction in which nothing is written. */
  waived = false
  readonly backing: Backing
  readonly host: Host
  /** Of whoever has borrowed it. */
  readonly activity = Activity.make()
  private socket: Net.Socket | undefined
  private readonly fork: (effect: Effect.Effect<void>) => unknown
  /** Whether anything came since a statement was handed over, and whether a goodbye is all that came. */
  private answered = false
  private saidGoodbyeFirst = false
  /** The server has been asked to cancel, or was not asked for want of a place: a further request could only be late. */
  private cancelAsked = false

  constructor(backing: Backing, host: Host, fork: (effect: Effect.Effect<void>) => unknown) {
    this.backing = backing
    this.host = host
    this.fork = fork
  }

  /** Cheap: asked at every borrow, return and statement. */
  get isAlive(): boolean {
    const { socket } = this
    return this.retired === undefined && socket !== undefined && !socket.destroyed && socket.writable &&
      !socket.readableEnded
  }

  retire(why: Retired): void {
    if (this.retired !== undefined) return
    this.retired = why
    this.backing.onUnfit(this, why)
  }

  /** Its server is not the one that is sought, so nor is it for others. What runs on the session may finish. */
  readonly misplaced = (): void => this.backing.onUnfit(this, "WrongRole")

  /** Ends whatever runs on the session, now. */
  destroy(): void {
    this.retire("Broken")
    this.socket?.destroy()
  }

  /** As `run`, for what the program asks for. */
  statement<A>(
    sql: string,
    statement: Effect.Effect<A, SqlError>,
    told?: Told
  ): Effect.Effect<A, SqlError | PostgresError> {
    return this.backing.log.watch(sql, this.run(statement, told))
  }

  /** Runs a statement of the program's; says of a lost connection whether the statement can have been sent. */
  run<A>(statement: Effect.Effect<A, SqlError>, told?: Told): Effect.Effect<A, SqlError | PostgresError> {
    return this.runUncounted(measured(statement, this.backing.operations, this.activity), told)
  }

  /** The same for a statement of our own. */
  runUncounted<A>(statement: Effect.Effect<A, SqlError>, told?: Told): Effect.Effect<A, SqlError | PostgresError> {
    return Effect.withFiber<A, SqlError | PostgresError>((fiber) => {
      if (told !== undefined) told.cancelled = false
      if (!this.isAlive) return Effect.fail(this.lost("no", undefined))
      this.answered = false
      this.saidGoodbyeFirst = false
      return Effect.mapError(this.detached(statement, fiber.context, told), this.failure)
    })
  }

  /**
   * In a fiber of its own, so that an interruption can ask the server to cancel and still hear what it answers: sql-pg
   * would drop the answer, and with it the certainty that the statement did not take effect.
   */
  private detached<A>(statement: Effect.Effect<A, SqlError>, context: Context.Context<never>, told: Told | undefined) {
    return Effect.callback<A, SqlError>((resume) => {
      const running = Effect.runForkWith(context)(statement)
      running.addObserver(resume)
      return Effect.andThen(this.pg.interrupt, Fiber.await(running)).pipe(
        Effect.map((exit) => {
          if (told !== undefined && isCancelled(exit)) told.cancelled = true
        })
      )
    })
  }

  private readonly failure = (error: SqlError): SqlError | PostgresError => {
    if (this.isAlive) return this.heed(error)
    this.retire("Broken")
    // sql-pg repeats the goodbye of a server to statements that come after it, and sends none of them.
    if (serverFields(error)?.severity === "FATAL") return this.lost("no", error)
    return error.reason._tag === "ConnectionError"
      ? this.lost(this.saidGoodbyeFirst ? "no" : "unknown", error)
      : error
  }

  /** As for a statement, of which rows may have come already. */
  readonly streamFailure = (error: SqlError): SqlError | PostgresError => {
    if (this.isAlive) return this.heed(error)
    this.retire("Broken")
    return error.reason._tag === "ConnectionError" || serverFields(error)?.severity === "FATAL"
      ? this.lost("unknown", error)
      : error
  }

  /** Leaves a server that refuses to write although nobody has told it to. */
  readonly heed = (error: SqlError): SqlError => {
    if (this.backing.settings.writes && !this.waived && isReadOnlyRefusal(error)) this.misplaced()
    return error
  }

  private lost(sent: "no" | "unknown", cause: SqlError | undefined): PostgresError {
    return new PostgresError({ _tag: "ConnectionLost", pool: this.backing.settings.name, sent, cause })
  }

  /** Called by sql-pg: the first time for the session, then for each CancelRequest. */
  readonly stream = (): Net.Socket => this.socket === undefined ? this.connect() : this.connectCancel()

  private connect(): Net.Socket {
    const socket = dial(this.host)
    this.socket = socket
    socket.once("close", () => this.retire("Broken"))
    return socket
  }

  private connectCancel(): Net.Socket {
    const { cancels } = this.backing
    // A CancelRequest that comes late would hit whoever borrows the session next.
    this.retire("Cancelled")
    if (this.cancelAsked) return new Net.Socket().destroy()
    this.cancelAsked = true
    if (cancels.open >= cancels.limit) {
      cancels.cut++
      this.socket?.destroy()
      return new Net.Socket().destroy()
    }
    cancels.open++
    cancels.sent++
    const socket = dial(this.host)
    socket.once("close", () => cancels.open--)
    this.fork(Effect.andThen(
      Effect.sleep(CANCEL_GRACE),
      Effect.sync(() => {
        this.socket?.destroy()
        socket.destroy()
      })
    ))
    return socket
  }

  /**
   * Sees what comes first after a statement. Bytes under TLS say nothing, and a listener would take them from it; and
   * PgBouncer says goodbye for a server whose own words are lost.
   */
  watch(): void {
    const { bouncer, ssl } = this.backing.settings
    if (ssl !== false || bouncer) return
    this.socket?.on("data", (chunk: Uint8Array) => {
      this.saidGoodbyeFirst = !this.answered && isGoodbye(chunk)
      this.answered = true
    })
  }

  /** Waits for the socket to be gone, so that the pool's count is the server's. */
  readonly closed: Effect.Effect<void> = Effect.suspend(() => {
    const { socket } = this
    if (socket === undefined || socket.closed) return Effect.void
    return Effect.callback<void>((resume) => {
      const done = () => resume(Effect.void)
      socket.once("close", done)
      return Effect.sync(() => socket.off("close", done))
    }).pipe(Effect.timeoutOrElse({ duration: CLOSE_GRACE, orElse: () => Effect.sync(() => void socket.destroy()) }))
  })

  /** Destroys the session's socket after a time, unless the returned function is called before. */
  destroyAfter(duration: Duration.Duration): () => void {
    let disarmed = false
    this.fork(Effect.andThen(Effect.sleep(duration), Effect.sync(() => disarmed ? undefined : this.destroy())))
    return () => {
      disarmed = true
    }
  }
}

const ERROR_RESPONSE = 0x45

/** The administrator ended the session (57P01), or it was idle for too long (57P05). */
const GOODBYE = /\0C57P0[15]\0/

/**
 * One error and nothing else. Whatever the server does for a statement it announces before, in the same buffer: a
 * goodbye that comes first means that the statement was not even parsed.
 */
const isGoodbye = (chunk: Uint8Array): boolean => {
  if (chunk[0] !== ERROR_RESPONSE || chunk.length < 5) return false
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  return view.getUint32(1) + 1 === chunk.length && GOODBYE.test(latin1.decode(chunk))
}

const latin1 = new TextDecoder("latin1")

const isUnsent = (error: unknown): boolean => isLost(error) && error.reason.sent === "no"

/** Also where the end of the connection came without a word. */
export const isLost = (error: unknown): error is PostgresError & { readonly reason: ConnectionLost } =>
  isPostgresError(error) && error.reason._tag === "ConnectionLost"

/**
 * Borrows again where the session turned out to be dead before anything was sent on it: its end was on the way when it
 * was lent. All that are idle may be in that state, so it is `size.max` times at most.
 */
export const onLive = <A, E, R>(
  { pool }: Settings,
  borrowed: Effect.Effect<A, E, R>,
  isDead: (error: unknown) => boolean = isUnsent
): Effect.Effect<A, E, R> => {
  const attempt = (left: number): Effect.Effect<A, E, R> =>
    left === 0 ? borrowed : Effect.catchIf(borrowed, isDead, () => attempt(left - 1))
  return attempt(pool.size.max)
}

const dial = ({ host, path, port }: Host): Net.Socket => {
  const socket = path === undefined
    ? Net.connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MILLIS
    })
    : Net.connect({ path })
  // sql-pg listens while it cares; an error after that would otherwise end the process.
  return socket.on("error", () => {})
}

const openAt = (backing: Backing, host: Host, role: Role): Effect.Effect<Session, SqlError, Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* Effect.context()
    const session = new Session(backing, host, Effect.runForkWith(context))
    yield* Effect.addFinalizer(() => session.closed)
    session.pg = yield* PgConnection.make(connectionConfig(backing.settings, host, session.stream)).pipe(
      Effect.mapError(dialError)
    )
    session.watch()
    if (role !== "any") yield* checkRole(session.pg, role)
    return session
  })

/** What does not come about leaves nothing behind for as long as the scope lives. */
const alone = <A, E>(opened: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E, Scope.Scope> =>
  Effect.flatMap(
    Effect.flatMap(Effect.scope, Scope.fork),
    (own) => Effect.onError(Scope.provide(opened, own), (cause) => Scope.close(own, Exit.failCause(cause)))
  )

/**
 * At the first of the hosts that will do, from the one on where the last session was opened. As with libpq a server that
 * does not let the user in ends the search.
 */
export const open = (backing: Backing): Effect.Effect<Session, SqlError, Scope.Scope> =>
  Effect.suspend(() => {
    const { foundAt, settings: { hosts, searches } } = backing
    const places = hosts.map((_, n) => (foundAt + n) % hosts.length)
    const tries = searches.flatMap((role) => places.map((at) => ({ at, role })))
    const from = (n: number): Effect.Effect<Session, SqlError, Scope.Scope> => {
      const { at, role } = tries[n] ?? { at: 0, role: searches[0] }
      const opened = Effect.tap(alone(openAt(backing, hosts[at] ?? hosts[0], role)), () =>
        Effect.sync(() => {
          backing.foundAt = at
        }))
      return n + 1 >= tries.length
        ? opened
        : Effect.catchIf(opened, ({ reason }) => reason._tag !== "AuthenticationError", () => from(n + 1))
    }
    return from(0)
  })

const connectionConfig = (settings: Settings, { host, port }: Host, stream: () => Net.Socket): PgConnection.Config => ({
  // TLS that falls back to plain text is to be had by URL only.
  ...(settings.ssl === "prefer" ? { url: PREFER_TLS } : { ssl: settings.ssl }),
  host,
  port,
  database: settings.server.database,
  username: settings.server.username,
  password: settings.server.password,
  connectTimeout: settings.dialTimeout,
  applicationName: settings.applicationName,
  startupParameters: settings.startupParameters,
  startupOptions: settings.startupOptions,
  prepare: settings.prepare,
  types: settings.types,
  stream
})
