/**
 * What a pool must be made to look like to be tried. Times are in milliseconds.
 *
 * @since 0.1.0
 */

/**
 * What is lent: a connection to the server of the kit.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** Of this connection, and of no other before or after it. */
  readonly id: number
  /** False from the moment at which its own end knows that it is gone, as a driver's flag would say. */
  readonly isAlive: boolean
  /** One command to the server; rejects when the connection is, or gets, lost, and never settles on a silent one. */
  readonly send: (command: string) => Promise<string>
  /** Called once, when its own end learns that the server has ended it. */
  readonly onLost: (listener: () => void) => void
}

/**
 * The server of the kit, as a pool's factory needs it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Server {
  /** Opens a connection. Whoever aborts the signal gives the dial up. */
  readonly open: (signal?: AbortSignal) => Promise<Connection>
  readonly close: (connection: Connection) => Promise<void>
  /** Rejects on a connection that is lost, never settles on a silent one. */
  readonly check: (connection: Connection) => Promise<void>
  /** Takes the session back to how it began. */
  readonly reset: (connection: Connection) => Promise<void>
}

/**
 * How the pool is to be made. What is left out, or has no counterpart in the pool, stays at the pool's own default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Setup {
  readonly server: Server
  readonly max: number
  /** Connections to have open from the start. */
  readonly min: number
  /** Beyond this many a connection closes on return when nobody waits. */
  readonly keep?: number | undefined
  /** The deadline of a borrow. */
  readonly timeout: number
  readonly maxWaiting?: number | undefined
  readonly dialTimeout?: number | undefined
  /** Dials at once. */
  readonly dialConcurrency?: number | undefined
  /** False: borrows wait for their deadline while the server is down. */
  readonly failFast?: boolean | undefined
  /** Age at which a connection is replaced. */
  readonly lifetime?: number | undefined
  readonly check?: {
    /** Connections used this recently are lent unchecked. */
    readonly skipWithin: number
    /** Of one check. */
    readonly timeout: number
    /** How often an idle connection is checked in the background. */
    readonly keepalive?: number | undefined
  } | undefined
  /** Whether connections are reset when they come back. */
  readonly reset?: boolean | undefined
  readonly codel?: { readonly target: number; readonly interval: number } | undefined
  /** Report a borrow that is held for longer. */
  readonly leakAfter?: number | undefined
}

/**
 * What a borrow asks for.
 *
 * @since 0.1.0
 * @category models
 */
export interface BorrowOptions {
  /** The caller's own deadline, milliseconds from now, where it is before the pool's. */
  readonly deadline?: number | undefined
  /** The caller goes away. Only where the adapter `accepts` it. */
  readonly signal?: AbortSignal | undefined
  /** The highest is served first. Only where the adapter `accepts` it. */
  readonly priority?: number | undefined
  /** Keys take turns. Only where the adapter `accepts` it. */
  readonly key?: string | undefined
  /** Names the borrow in reports. */
  readonly label?: string | undefined
}

/**
 * The pool's own numbers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  readonly idle: number
  /** Lent. */
  readonly used: number
  /** Borrows in the queue. */
  readonly waiting: number
  readonly opening?: number | undefined
  readonly checking?: number | undefined
  readonly closing?: number | undefined
  /** How the borrows that have ended did: served, timed out, … */
  readonly ended?: Readonly<Record<string, number>> | undefined
}

/**
 * What a pool publishes, as far as it is looked at: which kind of event (in the words of Breakwater's `PoolEvent`), and
 * of whom.
 *
 * @since 0.1.0
 * @category models
 */
export interface Event {
  readonly tag: string
  readonly label?: string | undefined
  readonly site?: string | undefined
  readonly fiber?: string | number | undefined
}

/**
 * What an error of the pool says to a program; what it does not say is left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failure {
  readonly kind?:
    | "timeout"
    | "full"
    | "shed"
    | "unavailable"
    | "nested"
    | "revoked"
    | "closed"
    | undefined
  readonly phase?: "queue" | "dial" | "check" | undefined
  readonly stats?: Partial<Stats> | undefined
  /** Who has held a connection for longest. */
  readonly holder?: {
    readonly age: number
    readonly label?: string | undefined
    readonly site?: string | undefined
  } | undefined
  /** What the last dial said. */
  readonly connectError?: unknown
}

/**
 * Borrows a connection for one piece of work. `within` is what the work itself borrows with: a pool that knows who
 * borrows inside a borrow must be told so by it.
 *
 * @since 0.1.0
 * @category models
 */
export type Use = <A>(
  work: (connection: Connection, within: Use) => Promise<A>,
  options?: BorrowOptions
) => Promise<A>

/**
 * A pool that is tried. What is optional is left out where the pool cannot do it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pool {
  readonly acquire: (options?: BorrowOptions) => Promise<Connection>
  readonly release: (connection: Connection) => unknown
  /** The connection is not to be lent again. Called for a borrowed one, before its release. */
  readonly invalidate: (connection: Connection) => unknown
  readonly stats: () => Stats
  readonly close: () => Promise<unknown>
  readonly use?: Use | undefined
  /** No connection that is open now is to be lent again; with `interrupt`, running work is cut. */
  readonly clear?: ((interrupt: boolean) => unknown) | undefined
  /** Until `resume` borrows wait, and no connection is opened. */
  readonly pause?: (() => unknown) | undefined
  readonly resume?: (() => unknown) | undefined
  readonly resize?: ((size: { readonly min: number; readonly max: number }) => unknown) | undefined
  /** Ends the pool; at the deadline running work is cut. Says how many borrows were, if it knows. */
  readonly drain?: ((deadline: number) => Promise<{ readonly cut?: number | undefined }>) | undefined
  /** The same numbers as whoever exports the pool's metrics reads them. */
  readonly metrics?: (() => Pick<Stats, "idle" | "used" | "waiting">) | undefined
  /** Returns how to stop listening. */
  readonly events?: ((listener: (event: Event) => void) => () => void) | undefined
}

/**
 * How the kit gets at a pool.
 *
 * @since 0.1.0
 * @category models
 */
export interface Adapter {
  readonly name: string
  readonly version?: string | undefined
  readonly make: (setup: Setup) => Pool | Promise<Pool>
  /** Which options of a borrow the pool honours; the others are not asked for. */
  readonly accepts?: ReadonlyArray<"signal" | "priority" | "key"> | undefined
  /** What an error of the pool says. Default: its kind, guessed from its name and message. */
  readonly describe?: ((error: unknown) => Failure) | undefined
}
