/**
 * The connections that many callers use at once. Each is a lease of the pool for as long as it lives, so that one limit,
 * one dialler and one drain hold for both kinds; a connection that dies is given back, and the next is borrowed.
 *
 * Callers who come while there is none wait for one, each no longer than for a borrow, and are told at once when the
 * pool says that the server is down.
 *
 * @internal
 */
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import { PoolError } from "@breakwater/core/PoolError"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import { type Connection, probe } from "./connection.ts"
import type { Policies, Settings } from "./settings.ts"

/** Before the slot of a pool that is down asks again; the pool itself goes on dialling. */
const ASK_AGAIN = Duration.millis(50)

/** Ahead of everybody who waits for a connection of his own: these serve all the others. */
const PRIORITY = Number.MAX_SAFE_INTEGER

/** Of their leases, which last as long as they do. */
export const labelOf = ({ name }: Settings): string => `${name}.shared`

type Waiter = (exit: Exit.Exit<void, PoolError>) => void

export class Shared {
  private readonly open: Array<Connection> = []
  private readonly waiters = new Set<Waiter>()
  /** Why there is none, while the server is down. */
  private down: PoolError | undefined
  /** What the last dial said that a slot has heard of. */
  private connectError: unknown
  private isClosed = false
  private isPaused = false
  /** How often the server has turned out to be another one. */
  private changes = 0
  /** Slots that wait for the pool. */
  private borrowing = 0
  private readonly begun: Latch.Latch
  /** What callers wait for a connection that is open may be less than opening one takes. */
  private readonly opening: Duration.Duration
  private readonly lease: Pool.UseOptions
  private readonly pool: Pool.Pool<Connection>
  private readonly settings: Settings
  private readonly policy: Policies["shared"]

  constructor(pool: Pool.Pool<Connection>, settings: Settings, policy: Policies["shared"]) {
    this.pool = pool
    this.settings = settings
    this.policy = policy
    this.begun = Latch.makeUnsafe(settings.pool.start !== "lazy")
    this.opening = Duration.sum(settings.dialTimeout, settings.waitTimeout)
    // A slot that waited for less would count as a caller that was turned away.
    this.lease = { priority: PRIORITY, label: labelOf(settings), timeout: this.opening }
  }

  get numbers(): { readonly open: number; readonly inUse: number; readonly waiting: number; readonly slots: number } {
    let inUse = 0
    for (const connection of this.open) inUse += connection.inUse
    return { open: this.open.length, inUse, waiting: this.waiters.size, slots: this.borrowing }
  }

  /** Keeps the connections open until the scope closes. */
  readonly run: Effect.Effect<void, never, Scope.Scope> = Effect.suspend(() => {
    const turn = Effect.suspend(() => this.turn)
    const slot = Effect.andThen(this.begun.await, Effect.repeat(turn, { while: () => !this.isClosed }))
    return Effect.forEach(Array.from({ length: this.settings.shared }), () => Effect.forkScoped(slot), {
      discard: true
    })
  })

  /** Uses one of them, with others. */
  use<A, E, R>(f: (connection: Connection) => Effect.Effect<A, E, R>): Effect.Effect<A, E | PoolError, R> {
    return Effect.suspend(() => {
      const connection = this.pick()
      return connection === undefined
        ? Effect.flatMap(this.next, (found) => this.on(found, f))
        : this.on(connection, f)
    })
  }

  /** Whether another caller may wait for a connection of his own. */
  readonly queueHasRoom: Effect.Effect<void, PoolError> = Effect.suspend(() =>
    Effect.flatMap(
      Pool.stats(this.pool),
      ({ waiting }) => waiting - this.borrowing < this.settings.maxWaiting ? Effect.void : Effect.fail(this.full())
    )
  )

  /** Waits until all of them are open. */
  readonly warm: Effect.Effect<void, PoolError> = Effect.suspend(() => {
    const ready: Effect.Effect<void, PoolError> = Effect.suspend(() =>
      this.open.length >= this.settings.shared ? Effect.void : Effect.andThen(this.wait, ready)
    )
    return this.bounded(ready, this.opening)
  })

  /** Replaces them all; what runs on them may finish. */
  clear(): void {
    for (const connection of Array.from(this.open)) connection.retire()
  }

  /** It has just come from the pool, which lends none from before the last change. */
  lent(connection: Connection): void {
    connection.driver.lent()
    connection.change = this.changes
  }

  /** The server behind `connection` takes no writes. Those from before a change that is known tell nothing new. */
  misled(connection: Connection): void {
    Effect.runSync(Pool.invalidate(this.pool, connection, "WrongRole"))
    if (connection.change !== this.changes) return
    this.changes++
    this.clear()
  }

  /** The pool has been paused: gives them back to it. Whoever comes waits. */
  pause(): void {
    this.isPaused = true
    this.down = undefined
    this.clear()
  }

  resume(): void {
    this.isPaused = false
  }

  /** Refuses whoever waits or comes; what runs may finish. */
  close(): void {
    this.isClosed = true
    this.begun.openUnsafe()
    this.tell(Exit.fail(this.closed()))
    this.clear()
  }

  /** The one with the fewest callers. */
  private pick(): Connection | undefined {
    let best: Connection | undefined
    for (const connection of this.open) {
      if (connection.isAlive && (best === undefined || connection.inUse < best.inUse)) best = connection
    }
    return best
  }

  private on<A, E, R>(
    connection: Connection,
    f: (connection: Connection) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      const clock = Context.get(fiber.context, Clock.Clock)
      const since = clock.currentTimeMillisUnsafe()
      let entered = false
      // The finalizer goes on the stack before the count: an interrupt in between must find it.
      return Effect.onExitPrimitive(
        Effect.suspend(() => {
          entered = true
          connection.enter()
          return f(connection)
        }),
        (exit) => {
          if (entered) connection.leave()
          if (exit._tag === "Failure" && clock.currentTimeMillisUnsafe() - since >= this.suspectAfter) {
            connection.suspect()
          }
          return undefined
        }
      )
    })
  }

  /** A failure after this many milliseconds throws suspicion on the connection. */
  private get suspectAfter(): number {
    const { timeout = Duration.infinity } = Policy.limits(this.policy)
    return Duration.toMillis(timeout)
  }

  /** The next one that opens. */
  private get next(): Effect.Effect<Connection, PoolError> {
    const found: Effect.Effect<Connection, PoolError> = Effect.suspend(() => {
      const connection = this.pick()
      return connection === undefined ? Effect.andThen(this.wait, found) : Effect.succeed(connection)
    })
    return this.bounded(found)
  }

  private bounded<A>(
    effect: Effect.Effect<A, PoolError>,
    duration = this.settings.waitTimeout
  ): Effect.Effect<A, PoolError> {
    return Effect.timeoutOrElse(effect, {
      duration,
      orElse: () => Effect.flatMap(Pool.stats(this.pool), (stats) => Effect.fail(this.timedOut(stats, duration)))
    })
  }

  /** One change: one more is open, or it is known that none will be. */
  private readonly wait: Effect.Effect<void, PoolError> = Effect.callback((resume) => {
    this.begun.openUnsafe()
    if (this.isClosed) return resume(Effect.fail(this.closed()))
    if (this.down !== undefined) return resume(Effect.fail(this.down))
    if (this.waiters.size >= this.settings.maxWaiting) return resume(Effect.fail(this.full()))
    this.waiters.add(resume)
    return Effect.sync(() => this.waiters.delete(resume))
  })

  private tell(exit: Exit.Exit<void, PoolError>): void {
    const waiters = Array.from(this.waiters)
    this.waiters.clear()
    for (const waiter of waiters) waiter(exit)
  }

  /** One life of a slot: borrow, serve, give back. */
  private get turn(): Effect.Effect<void> {
    const borrow = Effect.suspend(() => {
      this.borrowing++
      return Effect.ensuring(
        Pool.get(this.pool, this.lease),
        Effect.sync(() => this.borrowing--)
      )
    })
    return Effect.scoped(Effect.flatMap(borrow, (connection) => this.serve(connection))).pipe(
      Effect.catch((error) => {
        this.failed(error)
        return this.isClosed ? Effect.void : Effect.sleep(ASK_AGAIN)
      })
    )
  }

  private serve(connection: Connection): Effect.Effect<void> {
    const { checkTimeout, interval } = this.settings
    const watched = Effect.whileLoop({
      while: () => connection.isAlive,
      body: () =>
        Effect.andThen(
          Effect.timeoutOption(connection.disturbed, interval),
          Effect.suspend(() => connection.isAlive ? probe(connection, checkTimeout) : Effect.void)
        ),
      step: () => {}
    })
    return Effect.suspend(() => {
      connection.driver.share()
      this.lent(connection)
      connection.driver.activity.occupy()
      this.open.push(connection)
      this.down = undefined
      this.connectError = undefined
      this.tell(Exit.void)
      return Effect.ensuring(
        watched,
        Effect.sync(() => {
          connection.retire()
          this.open.splice(this.open.indexOf(connection), 1)
        })
      )
    }).pipe(Effect.andThen(connection.quiet))
  }

  private failed(error: PoolError): void {
    switch (error.reason._tag) {
      case "Closed":
        return this.close()
      case "AcquireTimeout":
        this.connectError = error.reason.connectError
        return
      case "Unavailable":
        this.connectError = error.reason.cause
        if (this.open.length > 0) return
        this.down = error
        return this.tell(Exit.fail(error))
      default:
    }
  }

  private closed(): PoolError {
    return new PoolError({ reason: { _tag: "Closed", pool: this.settings.name } })
  }

  private full(): PoolError {
    const { maxWaiting, name } = this.settings
    return new PoolError({ reason: { _tag: "QueueFull", pool: name, maxWaiting } })
  }

  private timedOut(stats: Pool.Stats, waited: Duration.Duration): PoolError {
    const { name } = this.settings
    return new PoolError({
      reason: {
        _tag: "AcquireTimeout",
        pool: name,
        phase: "dial",
        waited,
        stats,
        oldestHolder: undefined,
        connectError: this.connectError,
        paused: this.isPaused ? true : undefined
      }
    })
  }
}
